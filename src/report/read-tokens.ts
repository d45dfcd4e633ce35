import { join } from "node:path";
import { readChosen } from "./chosen-rows.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import type { PicturedRows } from "./run.ts";
import { type JsonObject, labelOf, numberOf, numbersOf, runObject } from "./run-files.ts";
import type { ScoredRow } from "./token-picture.ts";

/**
 * The rows that a folder's tokens.json pictures; undefined without the file.
 * @throws UserError if it is broken
 */
export function readTokens(path: string): PicturedRows | undefined {
  const file = runObject(path, "tokens.json");
  if (file === undefined) return undefined;
  const rows = Array.isArray(file["rows"]) ? (file["rows"] as unknown[]) : [];
  const read = (row: unknown, index: number): ScoredRow => {
    const lists = isRecord(row) ? rowLists(row) : undefined;
    if (lists === undefined)
      throw new UserError("damaged-file", "pieces, response, weights and score must be lists of one length", {
        where: `${join(path, "tokens.json")}, row ${index}`,
        fix: "Delete the file to have the report made without token pictures.",
      });
    return lists;
  };
  const step = numberOf(file["step"]);
  const [samplesSeen, seed] = ["samplesSeen", "seed"].map((key) => numberOf(file[key])) as [number, number];
  const known = [step, samplesSeen, seed].every(Number.isFinite);
  const chosen = readChosen(file["chosen"]);
  return {
    step,
    ...(chosen && { chosen }),
    ...(known && { context: { step, samplesSeen, seed } }),
    rows: rows.map(read),
    facts: rows.filter(isRecord),
  };
}

function rowLists(row: JsonObject): ScoredRow | undefined {
  const pieces: unknown = row["pieces"];
  const [response, weights, score] = ["response", "weights", "score"].map((key) => numbersOf(row[key]));
  const noise = numbersOf(row["noise"]);
  if (!Array.isArray(pieces) || !pieces.every((piece) => typeof piece === "string")) return undefined;
  if (![response, weights, score].every((list) => list?.length === pieces.length)) return undefined;
  if (noise !== undefined && noise.length !== pieces.length) return undefined;
  return {
    ...{ rowId: numberOf(row["rowId"]), pieces, response: response!, weights: weights!, score: score! },
    scoreName: labelOf(row["scoreName"], 40) ?? "score",
    ...(noise === undefined ? {} : { noise }),
  };
}
