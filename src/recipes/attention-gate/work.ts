import type { GateNetwork } from "../../eviction/gates/network.ts";
import type { GateOptions } from "../../eviction/gate-decision.ts";
import { futureBatch, type FutureShape } from "../../eviction/gates/future-batch.ts";
import type { GateAux } from "../../eviction/gates/gate-objective.ts";
import type { Forward, Objective, TokenBatch } from "../../contract/index.ts";
import type { Model } from "../../model/model.ts";
import type { Trainee } from "../../training/learner.ts";
import type { RunLearner } from "../../training/open-learner.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import type { ArmOpening } from "../kit/arms.ts";
import type { Watch } from "../kit/watches.ts";
import type { Divergence } from "../../training/divergence.ts";
import type { AttentionGateConfig } from "./config-schema.ts";

/** What an objective of gates may know of a micro-batch besides its tokens. */
export interface ArmAux extends GateAux {
  /** The batch's cache, with the tokens that a gate may evict and those whose attention it may foresee. */
  readonly shape: FutureShape;
}

/** What an objective of gates may read of a pass. */
export type GateSignal = "logProb" | "forwardKl" | "gates" | "futureAttention";

/** One run: the model with gates, or its control without. */
export interface GateArm {
  readonly name: string;
  /** Model and gates, one optimizer over both; writes the run folder. */
  readonly learner: RunLearner;
  readonly objective: Objective<GateSignal, ArmAux>;
  /** The micro-batches of a step, each with its pass and the tokens that gates may evict. */
  batches(step: number): StepBatch<ArmAux>[];
  /** Ends a step: writes its record; evaluates and saves a checkpoint when they are due. */
  record(batches: readonly StepBatch<ArmAux>[], outcome: StepOutcome): Promise<void>;
  /** Evaluates losses and answers over evicted caches; writes model, gates and summary. */
  finish(): Promise<void>;
  dispose(): void;
}

export interface GateArmOptions extends ArmOpening<AttentionGateConfig> {
  /** Whether the arm has gates; the control has none. */
  readonly gated: boolean;
  /** Of the control: share of its prompt that a cache of equal budget keeps. */
  readonly budget?: number;
}

/** Everything that an arm's parts share. */
export interface GateWork extends GateArmOptions {
  readonly model: Model;
  readonly gates: GateNetwork | undefined;
  readonly gateOptions: GateOptions;
}

/** How gates learn: `end-to-end`, `distill` or `future`. */
export interface GateTraining {
  readonly objective: Objective<GateSignal, ArmAux>;
  /** What the learner trains. */
  readonly trainee: Model | Trainee;
  /** Opens a pass for both phases. */
  pass(learner: RunLearner, batch: TokenBatch, step: number): Forward;
  /** A step's record; the tokens that taught something; and the share kept, where it is known. */
  numbersOf(batches: readonly StepBatch<ArmAux>[], outcome: StepOutcome): StepNumbers;
  /** Measures on the held-out rows; undefined without any. */
  evaluate(onProgress: (done: number, total: number) => void): Promise<object | undefined>;
  readonly watch: Watch<Divergence>;
}

export interface StepNumbers {
  readonly record: Readonly<Record<string, unknown>>;
  readonly trained: number;
  readonly keptShare?: number;
}

/** The batch's cache, with the tokens that a gate may evict, and those whose attention it may foresee. */
export function gatedShape({ model, config }: Pick<GateWork, "model" | "config">, batch: TokenBatch): FutureShape {
  const { sinks, window, rows } = config.gates;
  return futureBatch(batch, model.config.keyValueHeads, rows, { sinks, window });
}
