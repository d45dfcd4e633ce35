import { armNameProblems } from "../../config/arm-names.ts";
import type { CdpoArm, CdpoConfig, CdpoForm, CdpoObjective } from "./config-schema.ts";
import { cdpoSchema } from "./config-schema.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { fillShared, fillTraining, trainingContradictions } from "../../config/shared.ts";

type Option = Exclude<keyof CdpoObjective, "form">;

const common = ["dpoBeta", "aggregation", "positionMean", "normalizer", "margin", "nll"] as const;
const critical = ["preset", "sides", "keep", "threshold", "endOfTurn", "meanOne", ...common] as const;

/** The options that each form has. */
const optionsOf: Readonly<Record<CdpoForm, readonly Option[]>> = {
  cdpo: critical,
  "cdpo-shuffled": critical,
  dpo: common,
  rpo: common,
  "ld-dpo": ["beyond", "meanOne", ...common],
  "temporal-decay": ["decay", "meanOne", ...common],
  tdpo: ["version", "alpha", "dpoBeta", "normalizer", "margin", "nll"],
  confpo: ["dpoBeta", "margin", "normalizer", "nll"],
  columns: ["sides", "meanOne", ...common],
  "sft-chosen": [],
};

/** Forms whose own temperature belongs to them: an arm given by its name keeps it. */
const ownBeta: readonly CdpoForm[] = ["confpo", "sft-chosen"];

/** What is not given in a configuration: each preset's temperature. */
export interface CdpoValues {
  readonly dpoBeta: Readonly<Record<NonNullable<CdpoObjective["preset"]>, number>>;
}

/** How a cDPO configuration is read. */
export function cdpoDefinition(values: CdpoValues): ConfigDefinition<CdpoConfig> {
  return {
    schema: cdpoSchema,
    alternatives: ["contrast", "align"].flatMap((stage) => [
      { keys: [`${stage}.training.steps`, `${stage}.training.epochs`] },
      { keys: [`${stage}.training.warmupSteps`, `${stage}.training.warmupRatio`] },
    ]),
    finish(config, source) {
      fillIn(config, source, values);
      return contradictions(config);
    },
  };
}

/** The main alignment as an arm. */
export function mainCdpoArm({ align }: CdpoConfig): CdpoArm {
  const { name, objective, training } = align;
  return { name: name ?? objective.form, objective, learningRate: training.learningRate };
}

/** Whether the objective reads the contrastive estimate. */
export function readsEstimate({ form }: Pick<CdpoObjective, "form">): boolean {
  return form === "cdpo" || form === "cdpo-shuffled";
}

function fillIn(config: CdpoConfig, source: string, values: CdpoValues): void {
  fillShared(config, source);
  for (const { training } of [config.contrast, config.align]) fillTraining(training);
  config.contrast.adapter ??= {
    rank: 8,
    alpha: 16,
    rsLora: false,
    dropout: 0.1,
    projections: ["gate", "up", "down"],
  };
  const { objective, training } = config.align;
  const dpoBeta =
    objective.dpoBeta ?? (readsEstimate(objective) ? values.dpoBeta[objective.preset ?? "recommended"] : 0.1);
  const given = config.compare as (CdpoForm | { name?: string; objective: CdpoObjective; learningRate?: number })[];
  config.compare = given.map((arm): CdpoArm => {
    if (typeof arm !== "string")
      return {
        name: arm.name ?? arm.objective.form,
        objective: arm.objective,
        learningRate: arm.learningRate ?? training.learningRate,
      };
    // an estimate's options are those of the main objective, so that the control differs in one thing alone
    const shared =
      readsEstimate({ form: arm }) && readsEstimate(objective) ? { ...objective, form: arm } : { form: arm };
    const own = ownBeta.includes(arm) ? shared : { ...shared, dpoBeta };
    return { name: arm, objective: own, learningRate: training.learningRate };
  });
}

/** A row of the table is the starting model's. */
const startName = "base";

function contradictions(config: CdpoConfig): Problem[] {
  const { data, compare, align, contrast, stages } = config;
  const problems: Problem[] = [];
  const refuse = (path: KeyPath, message: string, atKey = false) => problems.push({ path, message, atKey });
  problems.push(...trainingContradictions(contrast.training, ["contrast", "training"]));
  problems.push(...trainingContradictions(align.training, ["align", "training"]));
  if (data.validation === undefined)
    refuse(["data", "validation"], "is missing: the models are compared on held-out rows");
  const arms = [mainCdpoArm(config), ...compare];
  const placeOf = (index: number): KeyPath => (index === 0 ? ["align"] : ["compare", index - 1]);
  problems.push(
    ...armNameProblems(
      arms.map(({ name }, index) => ({ name, path: placeOf(index) })),
      [startName],
    ),
  );
  for (const [index, { objective }] of arms.entries()) {
    const path = placeOf(index);
    for (const key of Object.keys(objective).filter((key) => key !== "form"))
      if (!optionsOf[objective.form].includes(key as Option))
        refuse([...path, "objective", key], `is not used: the form is ${objective.form}`, true);
    if (objective.dpoBeta === 0) refuse([...path, "objective", "dpoBeta"], "must be above 0");
    if (objective.form === "columns" && stages.score === undefined)
      refuse(["stages", "score"], "is missing: the form columns reads token weights from your file of scored pairs");
  }
  const unused: [keyof CdpoConfig["stages"], string | undefined][] = [
    ["sample", stages.judge ?? stages.score],
    ["judge", stages.score ?? (stages.positive && stages.negative && stages.pairs)],
    ["pairs", stages.score],
    ["positive", stages.score],
    ["negative", stages.score],
  ];
  for (const [key, other] of unused)
    if (stages[key] !== undefined && other !== undefined)
      refuse(["stages", key], `is not used: the later stage ${other} takes its place`, true);
  return problems;
}
