import { adapterContradictions, fillAdapter, renamesOfAdapter } from "../../config/adapter-group.ts";
import { armNameProblems } from "../../config/arm-names.ts";
import { bestContradictions, measuredOnTheWay } from "../../config/best-keys.ts";
import { comparisonArm, tryCreate } from "../../config/catalogue.ts";
import { type CdpoArm, type CdpoConfig, cdpoSchema } from "./config-schema.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import { methodLabel, type MethodChoice } from "../../config/method-choice.ts";
import { reportContradictions } from "../../config/report-group.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { serverContradictions } from "../../config/server-group.ts";
import { optional } from "../../system/optional.ts";
import { fillShared, fillTraining, trainingContradictions } from "../../config/shared.ts";
import { metrics } from "../../evaluation/own-metric.ts";
import { preferenceForms } from "../../preference/catalogue.ts";

/** How a cDPO configuration is read. */
export function cdpoDefinition(): ConfigDefinition<CdpoConfig> {
  return {
    schema: cdpoSchema,
    alternatives: ["contrast", "align"].flatMap((stage) => [
      { keys: [`${stage}.training.steps`, `${stage}.training.epochs`] },
      { keys: [`${stage}.training.warmupSteps`, `${stage}.training.warmupRatio`] },
    ]),
    methods: [{ catalogue: preferenceForms, defaultMethod: "cdpo" }, { catalogue: metrics }],
    renames: [
      { key: "seed", now: "training.seed" },
      ...["align.objective", "compare[].objective"].map((objective) => ({
        key: `${objective}.form`,
        now: `${objective}.method`,
      })),
      ...["contrast.adapter", "align.adapter"].flatMap(renamesOfAdapter),
    ],
    finish(config, source) {
      fillIn(config, source);
      return contradictions(config);
    },
  };
}

/** What is learnt: the main alignment, then those of `compare`. */
export function armsOf(config: CdpoConfig): CdpoArm[] {
  return [mainCdpoArm(config), ...config.compare];
}

/** The main alignment as an arm. */
export function mainCdpoArm({ align }: CdpoConfig): CdpoArm {
  const { name, objective, training, stopAtKl } = align;
  return {
    ...{ name: name ?? methodLabel(objective.method), objective, learningRate: training.learningRate },
    ...optional({ stopAtKl }),
  };
}

function fillIn(config: CdpoConfig, source: string): void {
  fillShared(config, source);
  for (const { training } of [config.contrast, config.align]) fillTraining(training);
  config.contrast.adapter ??= { rank: 8, alpha: 16, dropout: 0.1, projections: ["gate", "up", "down"] };
  for (const { adapter } of [config.contrast, config.align]) fillAdapter(adapter);
  const { objective: main, training, stopAtKl: everywhere } = config.align;
  const given = config.compare as (string | GivenArm)[];
  config.compare = given.map((arm): CdpoArm => {
    const { name, objective, learningRate, stopAtKl }: GivenArm =
      typeof arm === "string" ? { objective: comparisonArm(preferenceForms, main, arm) } : arm;
    return {
      name: name ?? methodLabel(objective.method),
      objective,
      learningRate: learningRate ?? training.learningRate,
      ...optional({ stopAtKl: stopAtKl ?? everywhere }),
    };
  });
  if (armsOf(config).some(({ stopAtKl }) => stopAtKl !== undefined))
    config.align.kl ??= { every: 5, answers: 32, maxNewTokens: 128 };
}

interface GivenArm extends Partial<Omit<CdpoArm, "objective">> {
  objective: MethodChoice;
}

/** A row of the table is the starting model's. */
export const startName = "base";

function contradictions(config: CdpoConfig): Problem[] {
  const { data, align, contrast, stages, evaluation, report } = config;
  const problems: Problem[] = reportContradictions(report);
  const refuse = (path: KeyPath, message: string, atKey = false) => problems.push({ path, message, atKey });
  problems.push(...trainingContradictions(contrast.training, ["contrast", "training"]));
  problems.push(...trainingContradictions(align.training, ["align", "training"]));
  const measured = measuredOnTheWay(evaluation);
  const numbers = data.validation === undefined ? [] : [...measured.numbers, ...pairNumbers];
  problems.push(...bestContradictions(align.training, ["align", "training"], { ...measured, numbers }));
  problems.push(...adapterContradictions(contrast.adapter, ["contrast", "adapter"]));
  problems.push(...adapterContradictions(align.adapter, ["align", "adapter"]));
  const served = { model: config.model, adapter: undefined };
  problems.push(...serverContradictions(config.sampling.server, ["sampling", "server"], served));
  if (data.validation === undefined)
    refuse(["data", "validation"], "is missing: the models are compared on held-out rows");
  const arms = armsOf(config);
  const placeOf = (index: number): KeyPath => (index === 0 ? ["align"] : ["compare", index - 1]);
  problems.push(
    ...armNameProblems(
      arms.map(({ name }, index) => ({ name, path: placeOf(index) })),
      [startName],
    ),
  );
  for (const [index, { objective }] of arms.entries()) {
    const path = placeOf(index);
    const { problem } = tryCreate(preferenceForms, objective, [...path, "objective"]);
    if (problem) problems.push(problem);
  }
  const later = laterFiles(stages);
  for (const key of Object.keys(stages) as ReplaceableStage[]) {
    const other = later[key];
    if (stages[key] !== undefined && other !== undefined)
      refuse(["stages", key], `is not used: the later stage ${other} takes its place`, true);
  }
  return problems;
}

/** Numbers of an evaluation on the way, of held-out pairs. */
export const pairNumbers: readonly string[] = ["loss", "perplexity", "referenceProbability", "preferred", "margin"];

/** A stage that a file of the user's can take the place of. */
export type ReplaceableStage = keyof CdpoConfig["stages"];

/**
 * By stage, whether anything reads its result: not where a later file of the user's takes its place.
 * @param about.contrasted whether an objective reads what the contrasted models say
 * @param about.given whether `data.train` holds pairs
 */
export function neededStages(
  stages: CdpoConfig["stages"],
  { contrasted, given = false }: { contrasted: boolean; given?: boolean },
): Readonly<Record<ReplaceableStage, boolean>> {
  const later = laterFiles(stages);
  const judge = !given && later.judge === undefined && (contrasted || stages.pairs === undefined);
  const contrast = contrasted && later.positive === undefined;
  return {
    sample: judge && later.sample === undefined,
    ...{ judge, positive: contrast, negative: contrast },
    pairs: later.pairs === undefined,
    score: true,
  };
}

/** By stage, the later file of the user's because of which nothing reads its result. */
function laterFiles(stages: CdpoConfig["stages"]): Partial<Record<ReplaceableStage, string | undefined>> {
  const { judge, positive, negative, pairs, score } = stages;
  return {
    sample: judge ?? score,
    judge: score ?? (positive && negative && pairs),
    pairs: score,
    positive: score,
    negative: score,
  };
}
