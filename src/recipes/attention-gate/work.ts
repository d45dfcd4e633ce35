import type { AttentionGateConfig } from "./config-schema.ts";
import type { ForwardSignals } from "../../contract/index.ts";
import type { EvictionLoss, GateNetwork, GateOptions } from "../../eviction/index.ts";
import type { Model } from "../../model/index.ts";
import type { ObjectiveBatch, ObjectiveOutcome, Schedule, TrainingState } from "../../training/index.ts";
import type { ArmOpening } from "../kit/arms.ts";

export type GateSignal = Extract<keyof ForwardSignals, "logProb" | "gates">;

/** One optimizer step's micro-batches under the objective, with what `accumulateObjective` must know of them. */
export interface GateStep {
  readonly batches: readonly ObjectiveBatch<GateSignal>[];
  /** What a pass gives: log-probabilities and, where there are gates, their probabilities. */
  readonly needs: readonly GateSignal[];
  /** Of every term over the whole step. */
  readonly masses: Readonly<Record<string, number>>;
  readonly rows: number;
  readonly tokens: number;
}

/** One run: the model with gates, or its control without. */
export interface GateArm {
  readonly name: string;
  /** Optimizer steps that are left, from 0. */
  steps(): Iterable<number>;
  /** The rows of a step, ready to be run. */
  prepare(step: number): GateStep;
  /** Clips, updates model and gates, writes the step to the run folder; evaluates and saves when it is due. */
  update(step: GateStep, outcome: ObjectiveOutcome): Promise<void>;
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
  readonly loss: EvictionLoss;
  readonly state: TrainingState;
  readonly totalSteps: number;
  readonly rate: Schedule;
}
