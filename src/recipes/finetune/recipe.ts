import { optionLines } from "../../config/resolved-options.ts";
import { rules } from "../../selection/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { readArm } from "../../report/read-arm.ts";
import { openArms, type ArmRun, type PlannedArm } from "../kit/arms.ts";
import { evaluatedRows } from "../kit/finding.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { defineRecipe, type Recipe } from "../kit/recipe.ts";
import { finetune, ssToken } from "./about.ts";
import { openArm, type FinetuneArm } from "./arm.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import { finetuneDefinition } from "./config.ts";
import { finetuneMemory } from "./memory.ts";
import { finetuneResults, isControl, resultRow } from "./results.ts";
import { checkMetric } from "../kit/own-metric.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { mixtureLines } from "../kit/mixture-lines.ts";
import { countedRows, rowsDealt, stepsOver } from "../kit/row-order.ts";
import { requireWeightsAlone } from "../../training/reduce.ts";
import { ruleOf } from "./rules.ts";

/** A run of fine-tuning: the configured rule, then each rule of `compare`, with the same model, data and seed. */
export type FinetuneRun = ArmRun<FinetuneArm>;

/** Fine-tuning whose configuration may leave out the rule: it is `method` then. */
function finetuning(about: typeof ssToken | typeof finetune, method: string): Recipe<FinetuneConfig, FinetuneRun> {
  return defineRecipe({
    ...about,
    config: finetuneDefinition({ method }),
    start: (config) => config,
    usesDataWeights: true,
    drawsByWeight: true,
    async check(config) {
      for (const { selection } of [config, ...config.compare]) {
        const rule = await ruleOf(selection, config);
        if (about === ssToken) requireWeightsAlone(rule);
      }
      await checkMetric(config.evaluation);
    },
    plan,
    memory: finetuneMemory,
    open: (work) =>
      openArms<FinetuneConfig, FinetuneArm>(work, {
        main: planned(methodLabel(work.config.selection.method), work.config),
        others: work.config.compare.map(({ name, selection }) =>
          planned(name, { ...work.config, selection, compare: [] }),
        ),
        open: openArm,
        rows: (name, run) => [resultRow(readArm(run.path, { name }))],
        heldOut: (name, run) => evaluatedRows(readArm(run.path, { name })),
      }),
    results: finetuneResults,
    report: async () => (await import("./report.ts")).writeReport,
  });
}

/**
 * Fine-tuning under any rule; by default every response token counts the same.
 */
export const finetuneRecipe = finetuning(finetune, "full");

/**
 * Fine-tuning whose own rule is ssToken (https://arxiv.org/abs/2510.18250).
 */
export const ssTokenRecipe = finetuning(ssToken, "sstoken");

function planned(name: string, config: FinetuneConfig): PlannedArm<FinetuneConfig> {
  const control = isControl(config.selection.method);
  return { name, config, control, steps: ({ tokens }) => stepsOver(config, tokens) };
}

function plan(config: FinetuneConfig, { tokens, validation }: RunInputs): string[] {
  listedPlaces(config.report, tokens, "data.train");
  const { stats } = tokens;
  const { batchSize } = config.training;
  const steps = stepsOver(config, tokens);
  const share = ((100 * stats.responseTokens) / stats.tokens).toFixed(1);
  const epochs = ((steps * batchSize) / rowsDealt(config, tokens, 1)).toPrecision(3);
  const held = validation === undefined ? "none" : `${validation.length} rows, ${validation.stats.tokens} tokens`;
  const arms = [
    { name: methodLabel(config.selection.method), choice: config.selection },
    ...config.compare.map(({ name, selection }) => ({ name, choice: selection })),
  ];
  return [
    `Training rows: ${tokens.length} ${tokens.length > stats.rows ? "from" : "of"} ${stats.rows}, ${stats.tokens} tokens, ${share} % of them response`,
    `Held-out rows: ${held}`,
    ...mixtureLines(tokens),
    `Steps: ${steps} of ${countedRows(batchSize, config.data)}, ${epochs} epochs`,
    `Runs: ${arms.map(({ name }) => name).join(", ")}`,
    ...optionLines(rules, arms, ["history"]),
  ];
}
