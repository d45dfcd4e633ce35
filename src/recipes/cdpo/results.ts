import { findEntry } from "../../config/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import type { ComparedArms } from "../kit/finding.ts";
import type { HeldOutLosses } from "../kit/held-out-losses.ts";
import { answerRates, sampledAccuracy, type AnswerRates, type Answers } from "../kit/responses/index.ts";
import { countColumn, errorColumn, probabilityColumn, type ResultRow } from "../kit/results.ts";
import { lossColumn, shareColumn, textColumn } from "../kit/results.ts";
import type { CdpoArm } from "./config-schema.ts";

/** The starting model, then every arm. */
export const cdpoResults = [
  textColumn("name", { head: "model" }),
  shareColumn("greedy", { compared: "share of right greedy answers" }),
  shareColumn("sampled", { compared: "share of right sampled answers" }),
  errorColumn("sampledError"),
  probabilityColumn(),
  lossColumn("loss", { head: false, page: "Held-out loss" }),
  countColumn("rows", { head: false, page: "Problems", from: true }),
  textColumn("learnt", { head: false, page: "What it learnt", wrap: true }),
];

type RowNumbers = Omit<AnswerRates, "passAt1" | "passAt1Error"> & Omit<HeldOutLosses, "rowIds">;

/** What the answers of one model come to, and its losses: a row of the results. */
export interface ModelRow extends ResultRow, RowNumbers {
  readonly name: string;
  /** Share of problems whose most likely answer is right. */
  readonly greedy: number;
  /** Share of sampled answers that are right; absent where none were drawn. */
  readonly sampled?: number;
  /** Standard error of `sampled`, over problems. */
  readonly sampledError?: number;
}

/** What an arm learns from; controls say what they control for. */
export function learntBy({ objective: { method, ...options } }: CdpoArm): string {
  const learns = findEntry(preferenceForms, method)?.learns ?? methodLabel(method);
  return "equal" in options && options["equal"] === "push" ? `${learns}, at equal push` : learns;
}

/** @param about.learnt what the model has learnt, in a few words */
export function modelRow(
  { name, learnt }: { name: string; learnt: string },
  answers: Answers,
  losses: HeldOutLosses,
): ModelRow {
  const { rows, passAt1, passAt1Error, ...rates } = answerRates(answers);
  return {
    ...{ name, learnt, rows },
    greedy: sampledAccuracy(answers.greedy),
    ...(passAt1 !== undefined && { sampled: passAt1 }),
    ...(passAt1Error !== undefined && { sampledError: passAt1Error }),
    ...{ ...losses, ...rates },
  };
}

/** The main alignment and the others, of the rows of all models; the starting model is none of them. */
export function comparedModels(
  rows: readonly ModelRow[],
  [main, ...others]: readonly CdpoArm[],
): ComparedArms | undefined {
  const rowsOf = (arm: CdpoArm | undefined) =>
    rows
      .filter(({ name }) => name === arm?.name)
      .map(({ name, rowIds, rowCorrect, rowPassRate = [] }) => {
        return { name, rowIds, values: { greedy: rowCorrect, sampled: rowPassRate } };
      });
  const [ours] = rowsOf(main);
  return ours && { main: ours, controls: others.flatMap(rowsOf) };
}
