import { existsSync } from "node:fs";
import { openArrow } from "../../data/arrow/read.ts";
import type { Tokenizer } from "../../text/index.ts";
import { readResponses, type Judged } from "../kit/responses/index.ts";
import { answerRow, type WeighedRow } from "../kit/token-rows.ts";
import { trajectoryPath } from "./trajectories.ts";

/** A response that was learnt from, with its tokens' weights. */
export interface OutcomeRow extends WeighedRow {
  verdict: string;
  reward: number;
  advantage: number;
}

const picturedResponses = 6;

/**
 * Responses of an iteration (from 0) for the report's token pictures: of the first questions that were learnt from, one
 * right answer and one wrong one each.
 */
export function pictureResponses(
  run: string,
  iteration: number,
  { tokenizer, vocabularySize }: { tokenizer: Pick<Tokenizer, "piece">; vocabularySize: number },
): OutcomeRow[] {
  const path = trajectoryPath(run, iteration);
  if (!existsSync(path)) return [];
  const responses = readResponses(path, { vocabularySize });
  const table = openArrow(path);
  try {
    const facts = responses.map((_, index) => table.row(index, ["reward", "advantage", "kept", "weights"]));
    const seen = new Set<string>();
    const chosen = responses.flatMap((response, index) => {
      const kind = `${response.rowId} ${response.verdict === "correct"}`;
      if (facts[index]!["kept"] !== true || seen.has(kind) || seen.size === picturedResponses) return [];
      seen.add(kind);
      return [rowOf(response, facts[index]!, tokenizer)];
    });
    return chosen.sort((a, b) => a.rowId - b.rowId);
  } finally {
    table.close();
  }
}

function rowOf(
  response: Judged,
  facts: Readonly<Record<string, unknown>>,
  tokenizer: Pick<Tokenizer, "piece">,
): OutcomeRow {
  const learned = facts["weights"] instanceof Float32Array ? [...facts["weights"]] : undefined;
  const score = learned ?? response.ids.map(() => null);
  return {
    ...answerRow(response, tokenizer, { score, scoreName: "token weight", weights: learned }),
    verdict: response.verdict,
    reward: Number(facts["reward"]),
    advantage: Number(facts["advantage"]),
  };
}
