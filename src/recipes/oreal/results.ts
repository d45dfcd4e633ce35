import { resultOf } from "../../report/compare-arms.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { groupOf } from "../../report/header.ts";
import type { ArmRun, Evaluation } from "../../report/run.ts";
import { type JsonObject, savedLine, textOf } from "../../report/run-files.ts";
import {
  countColumn,
  endColumns,
  endOf,
  errorColumn,
  lossColumn,
  ownOf,
  probabilityColumn,
  type ResultRow,
} from "../kit/results.ts";
import { secondsColumn, shareColumn, textColumn } from "../kit/results.ts";

/** Shares of right answers to held-out problems: those of the starting model in the first row, then every arm's. */
export const orealResults = [
  textColumn("name", { head: "arm" }),
  shareColumn("exactMatch", { head: "greedy", compared: "share of right greedy answers" }),
  shareColumn("passAt1", { head: "sampled", compared: "share of right sampled answers" }),
  errorColumn("passAt1Error"),
  probabilityColumn(),
  lossColumn("loss", { head: false, page: "Held-out loss" }),
  lossColumn("klToInitial", { head: false, page: "KL to the start" }),
  countColumn("steps", { head: "iterations" }),
  ...endColumns,
  countColumn("responses", { page: "Answers" }),
  secondsColumn("seconds", { page: "Time" }),
  textColumn("objective", { head: false, page: "Objective", wrap: true }),
];

/** The name of the row of the model that every arm starts from. */
export const startName = "(start)";

/** The model that every arm starts from, as the main arm has measured it. */
export function startRow(main: ArmRun): ResultRow {
  const { before } = resultOf(main);
  return { name: startName, ...measured(before), steps: 0, responses: 0 };
}

/** @param objective as the arm's configuration has it */
export function resultRow(arm: ArmRun, objective: JsonObject): ResultRow {
  const { after } = resultOf(arm);
  return {
    name: arm.name,
    ...measured(after),
    klToInitial: savedLine(arm.metrics, arm.savedStep)?.value("klToInitial"),
    steps: arm.metrics.at(-1)?.step ?? 0,
    responses: arm.metrics.reduce((sum, { value }) => sum + (value("responses") || 0), 0),
    ...endOf(arm),
    seconds: arm.seconds,
    objective: objectiveText(objective),
  };
}

function measured(evaluation: Evaluation | undefined): ResultRow {
  const { exactMatch, loss, value } = evaluation ?? {};
  return {
    ...{ exactMatch, passAt1: value?.("passAt1"), passAt1Error: value?.("passAt1Error") },
    ...{ referenceProbability: value?.("referenceProbability"), loss },
    ...ownOf(evaluation),
  };
}

/** Where an arm's token weights come from. */
export function weightSource(objective: JsonObject | undefined): string | undefined {
  return textOf(groupOf(objective ?? {}, "weights")["source"]);
}

function objectiveText(objective: JsonObject): string {
  const given = groupOf(objective, "weights");
  const weights: Record<string, string> = {
    none: "no token weights",
    learned: "learned token weights",
    shuffled: "control: learned token weights, shuffled within each answer",
    entropy: "token weights of entropy",
    "adapter-shift": "token weights of the adapter's shift",
    critical: "token weights of the contrastive estimate",
    column: `token weights of the column ${textOf(given["column"]) ?? ""}`,
    rule: `token weights of ${methodLabel(textOf(groupOf(given, "rule")["method"]) ?? "a rule")}`,
  };
  const control = given["shuffled"] === true ? "control: shuffled within each answer" : undefined;
  const preset = textOf(objective["preset"]);
  const source = weightSource(objective);
  const equal = textOf(given["equal"]) === "push" ? "at equal push" : undefined;
  return [preset, source && weights[source], control, equal].filter((part) => part !== undefined).join(", ");
}
