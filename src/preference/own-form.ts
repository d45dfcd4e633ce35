import type { OwnModule } from "../contract/index.ts";
import type { BatchFact } from "./batch.ts";
import type { PreferenceObjective } from "./objective.ts";

const signals: readonly unknown[] = ["logProb", "forwardKl"];
const rowKinds: readonly unknown[] = ["pairs", "chosen", "reference"] satisfies PreferenceObjective["rows"][];
const facts: readonly unknown[] = ["reference", "logEstimate", "logRatio", "weights"] satisfies BatchFact[];

const listOf = (value: unknown, accepted: readonly unknown[]): boolean =>
  Array.isArray(value) && value.every((each) => accepted.includes(each));

/** A form in a module of the user's own. */
export const ownForm: OwnModule = {
  value: "objective",
  create: "createObjective",
  type: "PreferenceObjective",
  problems({ reads, needs, rows, startLoss, masses, evaluate }) {
    const wrong: string[] = [];
    if (!listOf(reads, signals)) wrong.push(`reads must be a list of ${signals.join(", ")}`);
    if (!listOf(needs, facts)) wrong.push(`needs must be a list of ${facts.join(", ")}`);
    if (!rowKinds.includes(rows)) wrong.push(`rows must be one of ${rowKinds.join(", ")}`);
    if (startLoss !== undefined && typeof startLoss !== "number") wrong.push("startLoss must be a number");
    if (typeof masses !== "function") wrong.push("masses must be a function (tokens, batch) => numbers by term");
    if (typeof evaluate !== "function") wrong.push("evaluate must be a function (signals, tokens, batch)");
    return wrong;
  },
  fix: "weightedDpo(options) makes one of token weights; PreferenceObjective says what an objective of your own needs.",
};
