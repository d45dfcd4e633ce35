import { stepBatches } from "../../data/batches.ts";
import { createGates, type GateNetwork } from "../../eviction/gates/network.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import { gateObjective, joinCounts, trainedTokens, type GateAux } from "../../eviction/gates/gate-objective.ts";
import { savedParameters } from "../../model/saved-values.ts";
import { evictionLoss } from "../../eviction/eviction-loss.ts";
import type { Model } from "../../model/model.ts";
import { newTrainingState, type TrainingState } from "../../training/state.ts";
import { openLearner, type RunLearner } from "../../training/open-learner.ts";
import { rowsOf, tokensOf } from "../../training/train.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import { stoppable } from "../kit/reporter.ts";
import { orderOf } from "../kit/row-order.ts";
import { learnerSettings, optimizerOptions, trainedModel } from "../kit/training-settings.ts";
import { trunkLoading } from "../kit/adapter.ts";
import { explosionWatch, together } from "../kit/watches.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import { finish } from "./finish.ts";
import { evaluateLosses } from "./losses.ts";
import { gatedShape, type GateArm, type GateArmOptions, type GateWork } from "./work.ts";
import { optional } from "../../system/optional.ts";

/** Readies a run: model, gates, learner; continues a checkpoint or evaluates the start. */
export async function openGateArm(options: GateArmOptions): Promise<GateArm> {
  const { config, inputs, reporter, gated, name } = options;
  const trunk = await inputs.openModel(trunkLoading(inputs.shape, [config.adapter]));
  const disposals = [trunk.dispose];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    if (config.mode === "pretrain") for (const { variable } of trunk.parameters) variable.trainable = false;
    const model = await trainedModel(trunk, config.adapter, { seed: config.training.seed, reporter });
    if (model !== trunk) disposals.unshift(model.dispose);
    const gates = gated ? await newGates(model, options) : undefined;
    if (gates) disposals.unshift(gates.dispose);
    const state = newTrainingState(model, undefined, {
      optimizer: optimizerOptions(config.training),
      ...(gates && { companions: [savedParameters(gates.parameters)], parameters: gates.parameters }),
    });
    disposals.unshift(state.optimizer.dispose);
    const loss = evictionLoss(lossOptions(config));
    if (gated && loss.warning) reporter.note(loss.warning);
    const work: GateWork = { ...options, model, gates, gateOptions: gateOptions(config) };
    const learner = await openLearner(model, learnerOptions(work, state));
    return {
      ...{ name, learner, dispose },
      objective: gateObjective(gates && loss, { ...work.gateOptions, seed: config.training.seed }),
      batches: (step) => batchesOf(work, learner, step),
      record: (batches, outcome) => record(work, learner, batches, outcome),
      finish: () => finish(work, learner),
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function batchesOf(work: GateWork, learner: RunLearner, step: number): StepBatch<GateAux>[] {
  const { model, gates, gateOptions, config, inputs } = work;
  const { sinks, window, rows } = config.gates;
  const options = { ...gateOptions, sinks, window, rows, noise: { seed: config.training.seed, step } };
  return stepBatches(inputs.tokens, orderOf(config), step).map((batch) => ({
    batch,
    aux: { shape: gatedShape(work, batch), step },
    pass: () => learner.forward(batch, gates && { attention: gatedPass(model, gates, options) }),
  }));
}

function record(
  { gates, inputs }: GateWork,
  learner: RunLearner,
  batches: readonly StepBatch<GateAux>[],
  { loss, parts, metrics, gradNorm, learningRate }: StepOutcome,
): Promise<void> {
  const counts = joinCounts(metrics);
  const mean = (key: string): number => metrics.reduce((sum, part) => sum + part[key]!, 0) / metrics.length;
  const evicted = gates && {
    evictionLoss: parts["eviction"] ?? 0,
    ...{ target: mean("target"), keepShare: 1 - counts.evicted, keepProbability: mean("probability") },
    ...counts,
  };
  const seen = batches.map(({ batch }) => batch);
  const tokens = tokensOf(seen);
  const { state } = learner;
  const numbers = () => ({
    epoch: state.samplesSeen / inputs.tokens.length,
    ...{ loss, nll: parts["nll"] ?? 0, ...evicted, gradNorm, learningRate, tokens },
    ...{ trainedTokens: state.trainedTokens, samplesSeen: state.samplesSeen },
  });
  const trained = seen.reduce((sum, batch) => sum + trainedTokens(batch), 0);
  return learner.record(numbers, { rows: rowsOf(seen), trained, tokens, keptShare: evicted?.keepShare ?? 1 });
}

async function newGates(model: Model, { config, reporter }: GateArmOptions): Promise<GateNetwork> {
  const { kind, scope, heads, headSize, inner, initialKeep, learningRate } = config.gates;
  const given = { kind, initialKeep, seed: config.training.seed, ...optional({ scope, heads, headSize, inner }) };
  const scale = config.training.learningRate === 0 ? 0 : learningRate / config.training.learningRate;
  const gates = await createGates(model, given, scale);
  const size = gates.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
  reporter.note(`The gates have ${size} numbers to train.`);
  return gates;
}

function gateOptions({ gates }: AttentionGateConfig): GateWork["gateOptions"] {
  const { threshold, relaxation, floor, temperature } = gates;
  return { threshold, relaxation, ...optional({ floor, temperature }) };
}

function lossOptions({ eviction }: AttentionGateConfig): Parameters<typeof evictionLoss>[0] {
  return JSON.parse(JSON.stringify(eviction)) as Parameters<typeof evictionLoss>[0]; // without keys that are undefined
}

function learnerOptions(work: GateWork, state: TrainingState) {
  const { reporter, interrupted } = work;
  return {
    ...learnerSettings(work),
    state,
    watch: together([explosionWatch("nll")]),
    async evaluate(repeatable: boolean) {
      const told = repeatable ? stoppable(reporter, interrupted) : reporter;
      const losses = await evaluateLosses(work, (done, total) => told.working("evaluating", done, total));
      return losses && { ...losses };
    },
  };
}
