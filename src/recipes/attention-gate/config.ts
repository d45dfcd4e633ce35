import { adapterContradictions, fillAdapter, renamesOfAdapter } from "../../config/adapter-group.ts";
import { attentionGateSchema, type AttentionGateConfig } from "./config-schema.ts";
import { comparisonArm, tryCreate } from "../../config/catalogue.ts";
import { methodLabel, type MethodChoice } from "../../config/method-choice.ts";
import { metrics } from "../../evaluation/own-metric.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import type { ConfigDefinition } from "../../config/load.ts";
import { reportContradictions } from "../../config/report-group.ts";
import type { KeyPath, Problem } from "../../config/problem.ts";
import { renamedValues } from "../../config/renames.ts";
import { bestContradictions } from "../../config/best-keys.ts";
import { dataContradictions, fillShared, fillTraining, trainingContradictions } from "../../config/shared.ts";

/** How an Attention-Gate configuration is read. */
export function attentionGateDefinition(): ConfigDefinition<AttentionGateConfig> {
  return {
    schema: attentionGateSchema,
    alternatives: [
      { keys: ["training.steps", "training.epochs"] },
      { keys: ["training.warmupSteps", "training.warmupRatio"] },
    ],
    methods: [{ catalogue: evictionScores }, { catalogue: metrics }],
    renames: [
      { key: "control", now: "compare" },
      ...renamedValues(["gates.relaxation"], { straightThrough: "straight-through" }),
      ...renamesOfAdapter("adapter"),
    ],
    finish(config, source) {
      fillGates(config);
      const unused = unusedKeys(config);
      fillShared(config, source);
      fillTraining(config.training);
      fillAdapter(config.adapter);
      config.gates.learningRate ??= config.training.learningRate;
      config.compare = config.mode === "finetune" ? ((config.compare as "control"[] | undefined) ?? ["control"]) : [];
      config.evaluation.baselines = config.evaluation.baselines.map((given: MethodChoice | string) =>
        typeof given === "string" ? comparisonArm(evictionScores, { ...config.gates, method: "gates" }, given) : given,
      );
      return [...unused, ...contradictions(config), ...baselineProblems(config)];
    },
  };
}

/** Shares of a prompt that caches of gates which foresee attention keep; the first is that of the saved gates. */
const budgets = [0.4, 0.6, 0.25];

/** Defaults that depend on the objective. What the other one reads stays absent. */
function fillGates(config: AttentionGateConfig): void {
  const { gates, mode, evaluation } = config;
  gates.objective ??= mode === "pretrain" ? "future" : "end-to-end";
  gates.rows ??= mode === "pretrain" ? "text" : "prompts";
  if (gates.objective === "future") {
    gates.kind ??= "mlp";
    gates.input ??= "key-value";
    gates.target ??= "peak";
    if (gates.kind === "mlp") gates.inner ??= 64;
    evaluation.keep ??= [...budgets];
  } else {
    gates.kind ??= "attention";
    gates.input ??= "hidden";
    gates.initialKeep ??= 0.99;
    gates.threshold ??= 0.5;
    gates.relaxation ??= "straight-through";
    config.eviction ??= { preset: "recommended" };
  }
}

/** What is wrong with the baselines' options, and with baselines that a table could not tell apart. */
function baselineProblems({ evaluation: { baselines } }: AttentionGateConfig): Problem[] {
  const names = baselineNames(baselines);
  return baselines.flatMap((choice, index) => {
    const path = ["evaluation", "baselines", index];
    const { problem } = tryCreate(evictionScores, choice, path);
    const again = names.indexOf(names[index]!) < index;
    return [
      ...(problem ? [problem] : []),
      ...(again ? [{ path, message: `is ${names[index]!}, as one before it` }] : []),
    ];
  });
}

/** What each baseline is called: its method, with its options where the method is there more than once. */
export function baselineNames(baselines: readonly MethodChoice[]): string[] {
  return baselines.map(({ method, ...options }) => {
    const alone = baselines.filter((other) => other.method === method).length === 1;
    const own = Object.entries(options).map(([key, value]) => `${key} ${String(value)}`);
    return [methodLabel(method), ...(alone ? [] : own)].join(" ");
  });
}

/** Keys that the run would not look at. */
function unusedKeys({ mode, gates, eviction, adapter, training, compare, evaluation }: AttentionGateConfig): Problem[] {
  const problems: Problem[] = [];
  const refuse = (path: KeyPath, why: string) => problems.push({ path, message: `is not used: ${why}`, atKey: true });
  const only = (key: "scope" | "heads" | "headSize" | "inner", kind: string) => {
    if (gates[key] !== undefined && gates.kind !== kind) refuse(["gates", key], `gates.kind is ${gates.kind}`);
  };
  for (const key of ["scope", "heads", "headSize"] as const) only(key, "attention");
  only("inner", "mlp");
  const foresees = gates.objective === "future";
  const why = foresees
    ? "gates.objective is future (set it to end-to-end for gates that decide by a threshold)"
    : `gates.objective is ${gates.objective}`;
  if (foresees) {
    for (const key of ["initialKeep", "threshold", "relaxation", "floor", "temperature"] as const)
      if (gates[key] !== undefined) refuse(["gates", key], why);
    if (eviction !== undefined) refuse(["eviction"], why);
  } else {
    if (gates.target !== undefined) refuse(["gates", "target"], why);
    if (evaluation.keep !== undefined) refuse(["evaluation", "keep"], why);
    if (gates.floor !== undefined && gates.relaxation !== "soft")
      refuse(["gates", "floor"], `gates.relaxation is ${gates.relaxation}`);
    if (gates.temperature !== undefined && gates.relaxation !== "gumbel")
      refuse(["gates", "temperature"], `gates.relaxation is ${gates.relaxation}`);
  }
  if (mode === "pretrain" && adapter !== undefined) refuse(["adapter"], "mode pretrain trains the gates alone");
  if (mode === "pretrain" && (compare as "control"[] | undefined)?.length)
    refuse(["compare"], "mode pretrain leaves the model as it is, which is the control");
  if (training.gradientCheckpointing)
    refuse(["training", "gradientCheckpointing"], "gates must be recorded as they are computed");
  return problems;
}

/** By objective, the numbers of an evaluation on the way; answers are written at the end alone. */
const underGates = ["loss", "referenceProbability", "hardLoss", "hardReferenceProbability", "softLoss"];
const measuredNumbers = { "end-to-end": underGates, distill: underGates, future: ["loss", "divergence"] };

function contradictions({
  mode,
  gates,
  eviction,
  training,
  adapter,
  data,
  evaluation,
  report,
}: AttentionGateConfig): Problem[] {
  const problems = [...trainingContradictions(training, ["training"]), ...dataContradictions(data)];
  problems.push(...reportContradictions(report));
  const refuse = (path: KeyPath, message: string) => problems.push({ path, message });
  problems.push(...adapterContradictions(adapter, ["adapter"]));
  if (mode === "finetune" && gates.objective !== "end-to-end")
    refuse(
      ["gates", "objective"],
      `cannot be ${gates.objective} in mode finetune: it needs a model that stays as it is; fine-tune first, then train gates in mode pretrain`,
    );
  const numbers = data.validation === undefined ? [] : measuredNumbers[gates.objective];
  problems.push(...bestContradictions(training, ["training"], { numbers }));
  if (evaluation.metric !== undefined && gates.rows === "text")
    refuse(["evaluation", "metric"], "is of answers, and none are written to plain text (gates.rows is text)");
  if (gates.scope === "global" && gates.rows === "text")
    refuse(["gates", "scope"], "cannot be global for plain text (gates.rows is text): gates would see what comes next");
  if (training.learningRate === 0 && gates.learningRate > 0)
    refuse(
      ["training", "learningRate"],
      "must be above 0: the schedule of the gates' learning rate is a multiple of it",
    );
  const pooled = eviction?.rows === "pooled" || (eviction?.rows === undefined && eviction?.preset === "paper");
  if (pooled && training.microBatchSize! < training.batchSize)
    refuse(
      ["training", "microBatchSize"],
      `must be the batch size (${training.batchSize}): the eviction loss is pooled over the step; or set eviction.rows to each`,
    );
  const { rows = "first" } = typeof report === "string" ? {} : report;
  if (typeof rows === "string" && rows !== "first") {
    if (gates.objective === "future")
      refuse(["report", "rows"], `cannot be ${rows}: gates.objective future has no loss for each row`);
    else if (data.validation === undefined)
      refuse(["report", "rows"], `cannot be ${rows} without held-out rows: give data.validation`);
  }
  if (data.validation === undefined && gates.rows === "prompts")
    refuse(["data", "validation"], "is missing: gates are judged by answers to held-out prompts");
  return problems;
}
