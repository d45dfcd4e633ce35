import { resultOf } from "../../report/compare-arms.ts";
import type { ArmRun } from "../../report/run.ts";
import {
  countColumn,
  endColumns,
  endOf,
  errorColumn,
  lossColumn,
  numberColumn,
  ownOf,
  probabilityColumn,
  type ResultRow,
  secondsColumn,
  shareColumn,
  textColumn,
} from "../kit/results.ts";

/** Before the first step and after the last, on held-out rows. */
export const finetuneResults = [
  textColumn("name", { head: "arm" }),
  countColumn("steps"),
  lossColumn("lossBefore", { head: "loss before", page: "Held-out loss, before", from: true, group: "loss" }),
  lossColumn("loss", { head: "loss after", page: "after", group: "loss", compared: "loss" }),
  numberColumn("perplexityBefore", { head: false, page: "Perplexity, before", from: true, group: "loss" }),
  numberColumn("perplexity", { head: false, page: "after", group: "loss" }),
  probabilityColumn("referenceProbabilityBefore", {
    ...{ head: false, page: "Probability of the reference, before", from: true },
    group: "referenceProbability",
  }),
  probabilityColumn("referenceProbability", { page: "after", compared: "probability of the reference" }),
  shareColumn("exactMatchBefore", {
    head: "exact match before",
    page: "Exact match, before",
    from: true,
    group: "exactMatch",
  }),
  shareColumn("exactMatch", { head: "exact match after", page: "after", compared: "share of right greedy answers" }),
  shareColumn("passAt1Before", { head: false, page: "Sampled, before", from: true, group: "passAt1" }),
  shareColumn("passAt1", { head: "sampled", page: "after", compared: "share of right sampled answers" }),
  errorColumn("passAt1Error"),
  ...endColumns,
  secondsColumn("seconds", { page: false }),
];

/** An arm as a row of the results. */
export function resultRow(arm: ArmRun): ResultRow {
  const { before, after } = resultOf(arm);
  return {
    name: arm.name,
    method: arm.method,
    steps: after && (arm.metrics.at(-1)?.step ?? after.step),
    lossBefore: before?.loss,
    loss: after?.loss,
    perplexityBefore: before?.perplexity,
    perplexity: after?.perplexity,
    referenceProbabilityBefore: before?.value("referenceProbability"),
    referenceProbability: after?.value("referenceProbability"),
    exactMatchBefore: before?.exactMatch,
    exactMatch: after?.exactMatch,
    passAt1Before: before?.value("passAt1"),
    passAt1: after?.value("passAt1"),
    passAt1Error: after?.value("passAt1Error"),
    ...ownOf(after),
    ...endOf(arm),
    seconds: arm.seconds,
  };
}

/** Whether an arm says what training itself does, or a choice of as many tokens at random: what a rule must beat. */
export const isControl = (method: string | undefined): boolean => method === "full" || method === "random";
