import { stepBatches } from "../../data/batches.ts";
import { savedParameters } from "../../model/saved-values.ts";
import type { BestBy } from "../../training/best.ts";
import { newTrainingState, type TrainingState } from "../../training/state.ts";
import { openLearner, type RunLearner } from "../../training/open-learner.ts";
import type { RunLearnerOptions } from "../../training/run-learner-options.ts";
import { rowsOf, tokensOf } from "../../training/train.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import { stoppable } from "../kit/reporter.ts";
import { orderOf } from "../kit/row-order.ts";
import { learnerSettings, optimizerOptions, trainedModel } from "../kit/training-settings.ts";
import { trunkLoading } from "../kit/adapter.ts";
import { together } from "../kit/watches.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import { endToEnd } from "./end-to-end.ts";
import { finish } from "./finish.ts";
import { future } from "./future.ts";
import { newGates } from "./new-gates.ts";
import { refuseUnknownRows } from "./pictures.ts";
import {
  gatedShape,
  type ArmAux,
  type GateArm,
  type GateArmOptions,
  type GateTraining,
  type GateWork,
} from "./work.ts";
import { optional } from "../../system/optional.ts";

/** Readies a run: model, gates, learner; continues a checkpoint or evaluates the start. */
export async function openGateArm(options: GateArmOptions): Promise<GateArm> {
  const { config, inputs, reporter, gated, name } = options;
  refuseUnknownRows(options);
  const isFrozen = config.adapter !== undefined || config.mode === "pretrain";
  const loading = trunkLoading(inputs.shape, [config.adapter]);
  const trunk = isFrozen ? await inputs.shareModel(loading) : await inputs.openModel(loading);
  const disposals = [trunk.dispose];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const model = await trainedModel(trunk, config.adapter, { seed: config.training.seed, reporter });
    if (model !== trunk) disposals.unshift(model.dispose);
    const gates = gated ? await newGates(model, options) : undefined;
    if (gates) disposals.unshift(gates.dispose);
    const state = newTrainingState(model, undefined, {
      optimizer: optimizerOptions(config.training),
      ...(gates && {
        companions: [savedParameters([...gates.parameters, ...gates.constants])],
        parameters: gates.parameters,
      }),
    });
    disposals.unshift(state.optimizer.dispose);
    const work: GateWork = { ...options, model, gates, gateOptions: gateOptions(config) };
    const training = gates && config.gates.objective === "future" ? future({ ...work, gates }) : endToEnd(work);
    const learner = await openLearner(training.trainee, learnerOptions(work, state, training));
    return {
      ...{ name, learner, dispose },
      objective: training.objective,
      batches: (step) => batchesOf(work, training, learner, step),
      record: (batches, outcome) => record(work, training, learner, batches, outcome),
      finish: () => finish(work, learner),
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function batchesOf(work: GateWork, training: GateTraining, learner: RunLearner, step: number): StepBatch<ArmAux>[] {
  return stepBatches(work.inputs.tokens, orderOf(work.config), step).map((batch) => ({
    batch,
    aux: { shape: gatedShape(work, batch), step },
    pass: () => training.pass(learner, batch, step),
  }));
}

function record(
  { inputs }: GateWork,
  training: GateTraining,
  learner: RunLearner,
  batches: readonly StepBatch<ArmAux>[],
  outcome: StepOutcome,
): Promise<void> {
  const { loss, gradNorm, learningRate } = outcome;
  const { record, trained, keptShare = 1 } = training.numbersOf(batches, outcome);
  const seen = batches.map(({ batch }) => batch);
  const tokens = tokensOf(seen);
  const { state } = learner;
  const numbers = () => ({
    epoch: state.samplesSeen / inputs.tokens.length,
    ...{ loss, ...record, gradNorm, learningRate, tokens },
    ...{ trainedTokens: state.trainedTokens, samplesSeen: state.samplesSeen },
  });
  return learner.record(numbers, { rows: rowsOf(seen), trained, tokens, keptShare });
}

function gateOptions({ gates }: AttentionGateConfig): GateWork["gateOptions"] {
  const { threshold, relaxation, floor, temperature } = gates;
  return optional({ threshold, relaxation, floor, temperature });
}

/** Without gates nothing is evicted: what is measured under their decisions is what is measured anyway. */
const withoutGates: Readonly<Record<string, string>> = {
  ...{ hardLoss: "loss", softLoss: "loss" },
  hardReferenceProbability: "referenceProbability",
};

function ofControl({ best, earlyStopping }: ReturnType<typeof learnerSettings>) {
  const named = <T extends BestBy>(by: T | undefined): T | undefined =>
    by && { ...by, metric: withoutGates[by.metric] ?? by.metric };
  return { best: named(best), earlyStopping: named(earlyStopping) };
}

function learnerOptions(work: GateWork, state: TrainingState, training: GateTraining): RunLearnerOptions {
  const { reporter, interrupted } = work;
  const settings = learnerSettings(work);
  return {
    ...settings,
    ...(work.gates === undefined && ofControl(settings)),
    state,
    watch: together([training.watch]),
    async evaluate(repeatable: boolean) {
      const told = repeatable ? stoppable(reporter, interrupted) : reporter;
      const losses = await training.evaluate((done, total) => told.working("evaluating", done, total));
      return losses && { ...losses };
    },
  };
}
