import type { GateNetwork } from "../../eviction/gates/network.ts";
import type { GatedShape } from "../../eviction/shape.ts";
import type { GateOptions } from "../../eviction/gate-decision.ts";
import { gatedBatch } from "../../eviction/gates/layout.ts";
import type { GateAux } from "../../eviction/gates/gate-objective.ts";
import type { Objective, TokenBatch } from "../../contract/index.ts";
import type { Model } from "../../model/model.ts";
import type { RunLearner } from "../../training/open-learner.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import type { ArmOpening } from "../kit/arms.ts";
import type { AttentionGateConfig } from "./config-schema.ts";

/** One run: the model with gates, or its control without. */
export interface GateArm {
  readonly name: string;
  /** Model and gates, one optimizer over both; writes the run folder. */
  readonly learner: RunLearner;
  readonly objective: Objective<"logProb" | "gates", GateAux>;
  /** The micro-batches of a step, each with its pass under gates and the tokens that they may evict. */
  batches(step: number): StepBatch<GateAux>[];
  /** Ends a step: writes its record; evaluates and saves a checkpoint when they are due. */
  record(batches: readonly StepBatch<GateAux>[], outcome: StepOutcome): Promise<void>;
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

/** The batch's cache, with the tokens that a gate may evict. */
export function gatedShape({ model, config }: Pick<GateWork, "model" | "config">, batch: TokenBatch): GatedShape {
  const { sinks, window, rows } = config.gates;
  return gatedBatch(batch, model.config.keyValueHeads, rows, { sinks, window });
}
