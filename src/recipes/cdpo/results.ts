import { findEntry } from "../../config/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import type { ComparedArms } from "../kit/finding.ts";
import { lossesOf, type HeldOutLosses } from "../kit/held-out-losses.ts";
import { answerRates, sampledAccuracy, type AnswerRates, type Answers } from "../kit/responses/index.ts";
import {
  countColumn,
  endColumns,
  errorColumn,
  numberColumn,
  probabilityColumn,
  type ResultRow,
} from "../kit/results.ts";
import { lossColumn, shareColumn, textColumn } from "../kit/results.ts";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import { mean } from "../../evaluation/mean.ts";
import type { CdpoArm } from "./config-schema.ts";
import type { PairScore } from "./preferences.ts";

/** The starting model, then every arm. */
export const cdpoResults = [
  textColumn("name", { head: "model" }),
  shareColumn("greedy", { compared: "share of right greedy answers" }),
  shareColumn("sampled", { compared: "share of right sampled answers" }),
  errorColumn("sampledError"),
  shareColumn("preferred", {
    ...{ head: "prefers chosen", page: "Prefers the chosen answer" },
    compared: "share of pairs whose chosen answer it prefers",
  }),
  numberColumn("margin", { page: "Margin, nats" }),
  probabilityColumn(),
  lossColumn("klToReference", { head: "KL", page: "KL to the start" }),
  countColumn("steps", { group: "klToReference" }),
  ...endColumns,
  lossColumn("loss", { head: false, page: "Held-out loss" }),
  countColumn("rows", { head: false, page: "Problems", from: true }),
  textColumn("learnt", { head: false, page: "What it learnt", wrap: true }),
];

type RowNumbers = Partial<Omit<AnswerRates, "passAt1" | "passAt1Error" | "rowIds"> & OwnNumbers> & HeldOutLosses;

/** What the answers of one model come to, or its scores of held-out pairs, and its losses: a row of the results. */
export interface ModelRow extends ResultRow, RowNumbers {
  readonly name: string;
  /** Share of problems whose most likely answer is right. */
  readonly greedy?: number;
  /** Of held-out pairs, the share whose chosen answer has gained more than the other since the start. */
  readonly preferred?: number;
  /** How much more it has gained, as a mean over pairs, nats. */
  readonly margin?: number;
  /** 1 = the pair counts in `preferred`. */
  readonly rowPreferred?: readonly number[];
  /** Where it was measured: how far the model is from its start, nats per token, and after how many steps. */
  readonly klToReference?: number;
  readonly steps?: number;
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
  own?: OwnNumbers,
): ModelRow {
  const { rows, passAt1, passAt1Error, ...rates } = answerRates(answers);
  return {
    ...{ name, learnt, rows },
    greedy: sampledAccuracy(answers.greedy),
    ...(passAt1 !== undefined && { sampled: passAt1 }),
    ...(passAt1Error !== undefined && { sampledError: passAt1Error }),
    ...{ ...losses, ...rates, ...own },
  };
}

/**
 * The row of a model that has scored held-out pairs.
 * @param start the starting model's scores; undefined for its own row, as nothing has gained there
 */
export function pairRow(
  { name, learnt }: { name: string; learnt: string },
  scores: readonly PairScore[],
  start: readonly PairScore[] | undefined,
): ModelRow {
  const rowIds = scores.map(({ question }) => question);
  const losses = lossesOf(
    rowIds,
    scores.map(({ chosen, tokens }) => ({ sum: -chosen, tokens })),
  );
  const row = { name, learnt, rows: scores.length, ...losses };
  if (start === undefined) return row;
  const margins = scores.map(({ chosen, rejected }, i) => {
    const before = start[i]!;
    return chosen - before.chosen - (rejected - before.rejected);
  });
  const rowPreferred = margins.map((margin) => Number(margin > 0));
  return { ...row, preferred: mean(rowPreferred), margin: mean(margins), rowPreferred };
}

/** The main alignment and the others, of the rows of all models; the starting model is none of them. */
export function comparedModels(
  rows: readonly ModelRow[],
  [main, ...others]: readonly CdpoArm[],
): ComparedArms | undefined {
  const rowsOf = (arm: CdpoArm | undefined) =>
    rows
      .filter(({ name }) => name === arm?.name)
      .map(({ name, rowIds, rowCorrect = [], rowPassRate = [], rowPreferred = [], ownMetrics: own = {} }) => {
        return { name, rowIds, values: { greedy: rowCorrect, sampled: rowPassRate, preferred: rowPreferred }, own };
      });
  const [ours] = rowsOf(main);
  return ours && { main: ours, controls: others.flatMap(rowsOf) };
}
