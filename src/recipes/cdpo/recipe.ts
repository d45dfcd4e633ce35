import { optionLines } from "../../config/resolved-options.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { checkMetric } from "../kit/own-metric.ts";
import { defineRecipe } from "../kit/recipe.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { cdpo } from "./about.ts";
import { armsOf, cdpoDefinition, startName } from "./config.ts";
import type { CdpoConfig } from "./config-schema.ts";
import { cdpoMemory } from "./memory.ts";
import { objectivesOf, pairReading, refuseBesidePairs } from "./objectives.ts";
import { refuseUnmeasured } from "./refuse-unmeasured.ts";
import { cdpoResults } from "./results.ts";
import { cdpoStages } from "./share-stages.ts";
import { openCdpo, type CdpoRun } from "./run.ts";

/**
 * Learning from pairs of a model's own answers, weighted by critical tokens (https://arxiv.org/abs/2411.19943).
 */
export const cdpoRecipe = defineRecipe<CdpoConfig, CdpoRun>({
  ...cdpo,
  config: cdpoDefinition(),
  start: (config) => config,
  readsPairs: pairReading,
  async check(config) {
    await objectivesOf(config);
    await checkMetric(config.evaluation);
  },
  plan,
  memory: cdpoMemory,
  open: openCdpo,
  results: cdpoResults,
  startRow: startName,
  stages: cdpoStages,
  report: async () => (await import("./report.ts")).writeCdpoReport,
});

function plan(config: CdpoConfig, inputs: RunInputs): string[] {
  refuseBesidePairs(config, inputs);
  refuseUnmeasured(config, inputs);
  const { tokens, validation, pairs, heldPairs } = inputs;
  listedPlaces(config.report, tokens, "data.train");
  const { sampling, contrast, align, evaluation, stages } = config;
  const held = Math.min(validation?.length ?? 0, evaluation.rows ?? Infinity);
  const taken = Object.entries(stages).map(([stage, path]) => `  ${stage}: ${path}`);
  const arms = armsOf(config).map(({ name, objective }) => ({ name, choice: objective }));
  return [
    `${pairs ? "Pairs given" : "Questions"}: ${tokens.length}, held-out ${heldPairs ? "pairs" : "problems"}: ${held}`,
    pairs
      ? "Responses to draw: none, as data.train holds pairs"
      : `Responses to draw: ${tokens.length * sampling.samples}, of at most ${sampling.maxNewTokens} tokens`,
    `Contrasted models: rank ${contrast.adapter.rank}, ${lengthOf(contrast.training)}`,
    `Alignment: ${lengthOf(align.training)} of ${align.training.batchSize} pairs a step`,
    ...klLine(config),
    `Arms: ${arms.map(({ name }) => name).join(", ")}`,
    ...optionLines(preferenceForms, arms),
    ...(taken.length > 0 ? ["Stages taken from files:", ...taken] : []),
  ];
}

function klLine(config: CdpoConfig): string[] {
  const { kl } = config.align;
  if (kl === undefined) return [];
  const ends = armsOf(config).flatMap(({ name, stopAtKl }) =>
    stopAtKl === undefined ? [] : [`${name} at ${stopAtKl}`],
  );
  const measured = `KL to the start: on ${kl.answers} answers of at most ${kl.maxNewTokens} tokens, every ${kl.every} steps`;
  return [`${measured}${ends.length > 0 ? `; ends ${ends.join(", ")}` : ""}`];
}

function lengthOf({ steps, epochs }: { steps?: number | undefined; epochs?: number | undefined }): string {
  return steps === undefined ? `${epochs} epochs` : `${steps} steps`;
}
