import { findEntry } from "../../config/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import { answerRates, sampledAccuracy, type AnswerRates, type Answers } from "../kit/responses/index.ts";
import { countColumn, type ResultRow, shareColumn, textColumn } from "../kit/results.ts";
import type { CdpoArm } from "./config-schema.ts";

/** The starting model, then every arm. */
export const cdpoResults = [
  textColumn("name", { head: "model" }),
  shareColumn("greedy"),
  shareColumn("sampled"),
  countColumn("rows", { head: false, page: "Problems", from: true }),
  textColumn("learnt", { head: false, page: "What it learnt", wrap: true }),
];

/** What the answers of one model come to: a row of the results. */
export interface ModelRow extends ResultRow, AnswerRates {
  readonly name: string;
  /** Share of problems whose most likely answer is right. */
  readonly greedy: number;
  /** Share of sampled answers that are right; absent where none were drawn. */
  readonly sampled?: number;
}

/** What an arm learns from; controls say what they control for. */
export function learntBy({ objective: { method } }: CdpoArm): string {
  return findEntry(preferenceForms, method)?.learns ?? methodLabel(method);
}

/** @param learnt what the model has learnt, in a few words */
export function modelRow(name: string, learnt: string, answers: Answers): ModelRow {
  const { greedy, sampled } = answers;
  const { rows, ...rates } = answerRates(answers);
  return {
    ...{ name, learnt, rows },
    greedy: sampledAccuracy(greedy),
    ...(sampled.length > 0 && { sampled: sampledAccuracy(sampled) }),
    ...rates,
  };
}
