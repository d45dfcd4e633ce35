import { optionLines } from "../../config/resolved-options.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import { openArms, summaryOf, type ArmPlan, type ArmRun, type PlannedArm } from "../kit/arms.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { defineRecipe, type RecipeWork } from "../kit/recipe.ts";
import { attentionGate } from "./about.ts";
import { answerFrozen, openScores, type CacheResult } from "./answers.ts";
import { checkMetric } from "../kit/own-metric.ts";
import { mixtureLines } from "../kit/mixture-lines.ts";
import { countedRows, stepsOver } from "../kit/row-order.ts";
import { openGateArm } from "./arm.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import { attentionGateDefinition, baselineNames } from "./config.ts";
import { configuredLoss } from "./end-to-end.ts";
import { gateMemory } from "./memory.ts";
import { baselineNotes, comparedCaches, gateResults } from "./results.ts";
import { refuseUnknownRows } from "./pictures.ts";
import type { GateArm } from "./work.ts";

/** A run of Attention-Gate: the model with gates, then its control without. */
export type GateRun = ArmRun<GateArm>;

const gatesName = "gates";

/**
 * Attention-Gate (https://arxiv.org/abs/2410.12876): trains the gates in the output folder and the control in a
 * subfolder, then answers over the gates' cache and over those of published scores, which keep as many entries.
 */
export const attentionGateRecipe = defineRecipe<AttentionGateConfig, GateRun>({
  ...attentionGate,
  config: attentionGateDefinition(),
  start: (config) => config,
  usesDataWeights: true,
  drawsByWeight: true,
  comparesInGrids: true,
  async check({ eviction, evaluation }) {
    if (eviction !== undefined) configuredLoss(eviction);
    await openScores(evaluation.baselines);
    await checkMetric(evaluation);
  },
  plan,
  memory: gateMemory,
  open: (work) => openArms(work, armsOf(work)),
  results: gateResults,
  report: async () => (await import("./report.ts")).writeGateReport,
});

function armsOf(work: RecipeWork<AttentionGateConfig>): ArmPlan<AttentionGateConfig, GateArm> {
  const { config } = work;
  const planned = (name: string): PlannedArm<AttentionGateConfig> => ({
    name,
    config,
    steps: ({ tokens }) => stepsOver(config, tokens),
  });
  let budget = 1;
  return {
    main: planned(gatesName),
    others: config.compare.map(planned),
    open: (opening) => openGateArm({ ...opening, gated: opening.name === gatesName, budget }),
    rows(name, run) {
      const answers = answersOf(run);
      if (name === gatesName) budget = answers[0]?.kept ?? 1;
      return answers;
    },
    async finish(rows, inputs) {
      if (config.compare.length > 0 || rows.length === 0) return rows;
      return [...rows, ...(await answerFrozen(work, inputs, budget))];
    },
    compared: (rows) => comparedCaches(rows as readonly CacheResult[]),
    facts: () => (config.evaluation.keep ? { keep: config.evaluation.keep } : { budget }),
    notes: (rows) => baselineNotes(rows, config.evaluation.baselines),
  };
}

function answersOf(run: RunFolder): readonly CacheResult[] {
  return (summaryOf(run)["answers"] ?? []) as readonly CacheResult[];
}

const inputNames = { hidden: "hidden states", "key-value": "keys and values" };

function plan(config: AttentionGateConfig, inputs: RunInputs): string[] {
  refuseUnknownRows({ config, inputs });
  const { tokens, validation } = inputs;
  const { training, evaluation, compare, gates } = config;
  const names = baselineNames(evaluation.baselines);
  const named = evaluation.baselines.map((choice, b) => ({ name: names[b]!, choice }));
  const answers = gates.rows === "prompts" && validation !== undefined;
  return [
    `Training rows: ${tokens.length}, held-out rows: ${validation?.length ?? "none"}`,
    ...mixtureLines(tokens),
    `Steps: ${stepsOver(config, tokens)} of ${countedRows(training.batchSize, config.data)}`,
    `Runs: ${[gatesName, ...compare].join(", ")}`,
    `Gates: ${gates.objective}${gates.target === undefined ? "" : ` (${gates.target})`}, ${gates.kind} of ${inputNames[gates.input]}`,
    `Answers: ${answers ? `over the gates' cache, all entries, ${names.join(", ")}` : "none"}`,
    ...(answers && evaluation.keep ? [`Kept of each prompt: ${evaluation.keep.join(", ")}`] : []),
    ...(answers ? optionLines(evictionScores, named) : []),
  ];
}
