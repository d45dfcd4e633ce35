import { adapterContradictions, fillAdapter, renamesOfAdapter } from "../../config/adapter-group.ts";
import { armNameProblems } from "../../config/arm-names.ts";
import { comparisonArm, hasOption, tryCreate } from "../../config/catalogue.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import { methodLabel, type MethodChoice } from "../../config/method-choice.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { reportContradictions } from "../../config/report-group.ts";
import { renamedValues } from "../../config/renames.ts";
import { bestContradictions, measuredOnTheWay } from "../../config/best-keys.ts";
import { dataContradictions, fillShared, fillTraining, trainingContradictions } from "../../config/shared.ts";
import { metrics } from "../../evaluation/own-metric.ts";
import { rules } from "../../selection/catalogue.ts";
import { finetuneSchema, type FinetuneConfig } from "./config-schema.ts";

/**
 * How a fine-tuning configuration is read.
 * @param defaults.method the rule when `selection.method` is not given: the recipe's own
 */
export function finetuneDefinition(defaults: { method: string }): ConfigDefinition<FinetuneConfig> {
  return {
    schema: finetuneSchema,
    alternatives: [
      { keys: ["model", "fresh"], required: true },
      { keys: ["reference", "selfEvolving"] },
      { keys: ["training.steps", "training.epochs"] },
      { keys: ["training.warmupSteps", "training.warmupRatio"] },
    ],
    methods: [{ catalogue: rules, defaultMethod: defaults.method, elsewhere: ["history"] }, { catalogue: metrics }],
    renames: [
      ...renamedValues(["selection.divideBy", "compare[].selection.divideBy"], {
        sequenceBudget: "sequence-budget",
        microBatch: "micro-batch",
      }),
      ...renamesOfAdapter("adapter"),
    ],
    finish: (config, source) => {
      fillIn(config, source);
      return [...contradictions(config), ...unmetDemands(config)];
    },
  };
}

/** Defaults that depend on other keys. */
function fillIn(config: FinetuneConfig, source: string): void {
  fillShared(config, source);
  fillTraining(config.training);
  fillAdapter(config.adapter);
  const arms = config.compare as (string | { name?: string; selection: MethodChoice })[];
  config.compare = arms.map((arm) => {
    const selection = typeof arm === "string" ? comparisonArm(rules, config.selection, arm) : arm.selection;
    const name = typeof arm === "string" ? undefined : arm.name;
    return { name: name ?? methodLabel(selection.method), selection };
  });
}

function contradictions({ fresh, data, training, adapter, evaluation, report, compare }: FinetuneConfig): Problem[] {
  const problems: Problem[] = [];
  const refuse = (path: KeyPath, message: string) => problems.push({ path, message });
  if (fresh !== undefined && fresh.width % (2 * fresh.heads) !== 0)
    refuse(["fresh", "heads"], `must divide the width (${fresh.width}) into heads of even size, got ${fresh.heads}`);
  if (fresh?.keyValueHeads !== undefined && fresh.heads % fresh.keyValueHeads !== 0)
    refuse(["fresh", "keyValueHeads"], `must divide the ${fresh.heads} heads, got ${fresh.keyValueHeads}`);
  problems.push(...trainingContradictions(training, ["training"]), ...dataContradictions(data));
  problems.push(...reportContradictions(report));
  problems.push(
    ...bestContradictions(training, ["training"], data.validation ? measuredOnTheWay(evaluation) : { numbers: [] }),
  );
  problems.push(...adapterContradictions(adapter, ["adapter"]));
  if (data.validation === undefined && evaluation.generate)
    refuse(["evaluation", "generate"], "needs held-out rows: give data.validation");
  if (evaluation.samples > 0 && !evaluation.generate)
    refuse(["evaluation", "samples"], "stand beside greedy answers: set evaluation.generate to true, or this to 0");
  if (evaluation.metric !== undefined && !evaluation.generate)
    refuse(["evaluation", "metric"], "is of generated answers: set evaluation.generate to true");
  problems.push(...armNameProblems(compare.map(({ name }, index) => ({ name, path: ["compare", index] }))));
  return problems;
}

/** What the rules of all arms ask for and the configuration does not give; each kind once. */
function unmetDemands({ selection, compare, reference, selfEvolving, history }: FinetuneConfig): Problem[] {
  const problems = new Map<string, Problem>();
  const refuse = (path: KeyPath, message: string) => {
    if (!problems.has(path.join("."))) problems.set(path.join("."), { path, message });
  };
  const arms: [KeyPath, MethodChoice][] = compare.map((arm, index) => [["compare", index], arm.selection]);
  for (const [path, choice] of [[["selection"], selection] as [KeyPath, MethodChoice], ...arms]) {
    const { method } = choice;
    const { made, problem } = tryCreate(rules, choice, path);
    if (problem) refuse(path, problem.message);
    if (made === undefined) continue;
    const { needs, scope } = made;
    if (needs.includes("referenceNll") && reference === undefined && selfEvolving === undefined)
      refuse(["reference"], `is missing; ${method} compares with a reference model, give its path`);
    const canDoWithout = hasOption(rules, method, "history");
    if (needs.includes("historyNll") && !canDoWithout && history.source === "none")
      refuse(["history", "source"], `is none, but ${method} compares with an earlier model: base, or a model's path`);
    if (scope === "dataset")
      refuse(
        path,
        `cannot train with ${method} over the dataset: write its weights with \`tokensift score\`, then train with ` +
          "dataset-weights, or give it another scope (step)",
      );
  }
  return [...problems.values()];
}
