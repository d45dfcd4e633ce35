import { findEntry } from "../../config/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import { sampledAccuracy } from "../kit/responses/index.ts";
import { countColumn, type ResultRow, shareColumn, textColumn } from "../kit/results.ts";
import type { CdpoArm } from "./config-schema.ts";
import type { Answers } from "./evaluate.ts";

/** The starting model, then every arm. */
export const cdpoResults = [
  textColumn("name", { head: "model" }),
  shareColumn("greedy"),
  shareColumn("sampled"),
  countColumn("rows", { head: false, page: "Problems", from: true }),
  textColumn("learnt", { head: false, page: "What it learnt", wrap: true }),
];

/** What the answers of one model come to: a row of the results. */
export interface ModelRow extends ResultRow {
  readonly name: string;
  /** Held-out problems. */
  readonly rows: number;
  /** Share of problems whose most likely answer is right. */
  readonly greedy: number;
  /** Share of sampled answers that are right; absent where none were drawn. */
  readonly sampled?: number;
  readonly rowIds: readonly number[];
  /** One entry per problem. */
  readonly rowCorrect: readonly number[];
  readonly rowPassRate?: readonly number[];
}

/** What an arm learns from; controls say what they control for. */
export function learntBy({ objective: { method } }: CdpoArm): string {
  return findEntry(preferenceForms, method)?.learns ?? methodLabel(method);
}

/** @param learnt what the model has learnt, in a few words */
export function modelRow(name: string, learnt: string, { greedy, sampled }: Answers): ModelRow {
  const rowIds = greedy.map(({ rowId }) => rowId);
  const right = new Map<number, number[]>(rowIds.map((rowId) => [rowId, []]));
  for (const { rowId, verdict } of sampled) right.get(rowId)?.push(Number(verdict === "correct"));
  const passRate = (rowId: number): number => {
    const answers = right.get(rowId)!;
    return answers.reduce((sum, each) => sum + each, 0) / answers.length;
  };
  return {
    ...{ name, learnt },
    rows: greedy.length,
    greedy: sampledAccuracy(greedy),
    ...(sampled.length > 0 && { sampled: sampledAccuracy(sampled) }),
    rowIds,
    rowCorrect: greedy.map(({ verdict }) => Number(verdict === "correct")),
    ...(sampled.length > 0 && { rowPassRate: rowIds.map(passRate) }),
  };
}
