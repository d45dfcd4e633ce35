import type { AttentionGateConfig } from "./config-schema.ts";
import { createGates, evictionLoss, gatesCompanion, type GateNetwork } from "../../eviction/index.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { createAdapter, gradientStore, isAdapted, trainableShare, withAdapter, type Model } from "../../model/index.ts";
import { clippedUpdate, newTrainingState, schedule } from "../../training/index.ts";
import { continued } from "../kit/continued.ts";
import { evaluate, recorder } from "./record.ts";
import { prepareStep } from "./objective.ts";
import type { GateArm, GateArmOptions, GateWork } from "./work.ts";

/** Optimizer steps of the run. */
export function gateSteps({ training }: Pick<AttentionGateConfig, "training">, rows: number): number {
  return training.steps ?? Math.max(1, Math.ceil((training.epochs! * rows) / training.batchSize));
}

/** Readies a run: model, gates, optimizer; continues a checkpoint or evaluates the start. */
export async function openGateArm(options: GateArmOptions): Promise<GateArm> {
  const { config, materials, talk, gated, name } = options;
  const trunk = await materials.openModel();
  const disposals = [trunk.dispose];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const model = await trainedModel(trunk, options);
    if (model !== trunk) disposals.unshift(model.dispose);
    const gates = gated ? await newGates(model, options) : undefined;
    if (gates) disposals.unshift(gates.dispose);
    const { beta1, beta2, epsilon, weightDecay } = config.training;
    const state = newTrainingState(model, undefined, {
      optimizer: { beta1, beta2, epsilon, weightDecay },
      ...(gates && { companions: [gatesCompanion(gates)], parameters: gates.parameters }),
    });
    disposals.unshift(state.optimizer.dispose);
    const totalSteps = gateSteps(config, materials.tokens.length);
    const loss = evictionLoss(lossOptions(config));
    if (gated && loss.warning) talk.note(loss.warning);
    const work: GateWork = {
      ...options,
      model,
      gates,
      gateOptions: gateOptions(config),
      loss,
      state,
      totalSteps,
      rate: rateOf(config, totalSteps),
    };
    await begin(work);
    return { name, ...loop(work), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The model itself, or one with a fresh adapter over it; frozen where the gates alone are trained. */
async function trainedModel(trunk: Model, { config, talk }: GateArmOptions): Promise<Model> {
  const { adapter, training, mode } = config;
  if (mode === "pretrain") for (const { variable } of trunk.parameters) variable.trainable = false;
  if (adapter === undefined) return trunk;
  const model = withAdapter(trunk, await createAdapter(trunk, { ...adapter, seed: training.seed }));
  const { trainable, total, share } = trainableShare(model);
  talk.note(`The adapter has ${trainable} numbers to train, ${(100 * share).toPrecision(3)} % of all ${total}.`);
  return model;
}

async function newGates(model: Model, { config, talk }: GateArmOptions): Promise<GateNetwork> {
  const { kind, scope, heads, headSize, inner, initialKeep, learningRate } = config.gates;
  const given = {
    ...{ kind, initialKeep, seed: config.training.seed },
    ...(scope && { scope }),
    ...(heads !== undefined && { heads }),
    ...(headSize !== undefined && { headSize }),
    ...(inner !== undefined && { inner }),
  };
  const scale = config.training.learningRate === 0 ? 0 : learningRate / config.training.learningRate;
  const gates = await createGates(model, given, scale);
  const size = gates.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
  talk.note(`The gates have ${size} numbers to train.`);
  return gates;
}

function gateOptions({ gates }: AttentionGateConfig): GateWork["gateOptions"] {
  const { threshold, relaxation, floor, temperature } = gates;
  return {
    ...{ threshold, relaxation },
    ...(floor !== undefined && { floor }),
    ...(temperature !== undefined && { temperature }),
  };
}

function lossOptions({ eviction }: AttentionGateConfig): Parameters<typeof evictionLoss>[0] {
  return JSON.parse(JSON.stringify(eviction)) as Parameters<typeof evictionLoss>[0]; // without keys that are undefined
}

function rateOf({ training }: AttentionGateConfig, totalSteps: number): GateWork["rate"] {
  return schedule({
    kind: training.schedule,
    learningRate: training.learningRate,
    totalSteps,
    warmupSteps: training.warmupSteps ?? Math.ceil((training.warmupRatio ?? 0) * totalSteps),
    minimumLearningRate: training.minimumLearningRate,
  });
}

/** Restores the newest checkpoint if the run is to be continued and has one; else starts it. */
async function begin(work: GateWork): Promise<void> {
  if (!(await continued(work, "step"))) await evaluate(work);
}

function loop(work: GateWork): Omit<GateArm, "name" | "dispose"> {
  const { state, config, rate, totalSteps, model } = work;
  const gradients = gradientStore();
  const { record, finish } = recorder(work);
  return {
    *steps() {
      try {
        while (state.step < totalSteps) yield state.step;
      } finally {
        gradients.clear();
      }
    },
    prepare(step) {
      if (isAdapted(model)) model.adapter.startStep(step);
      return prepareStep(work, step, gradients);
    },
    async update(step, outcome) {
      const learningRate = rate(state.step);
      const settings = { learningRate, clipNorm: config.training.clipNorm, step: state.step + 1 };
      const gradNorm = await clippedUpdate(state.optimizer, gradients, settings);
      gradients.clear();
      await letEventsIn();
      state.step++;
      state.samplesSeen += step.rows;
      state.trainedTokens += step.masses["nll"]!;
      await record(step, outcome, { gradNorm, learningRate });
    },
    finish,
  };
}
