import { totalSize } from "../tensor/shape.ts";
import { decoderTensors } from "../model/families/index.ts";
import type { DecoderConfig } from "../model/config.ts";

/** How a trial trains. */
export interface TrialSettings {
  readonly steps: number;
  /** Rows of a step. */
  readonly batchSize: number;
  readonly learningRate: number;
  /** Whether a LoRA adapter is trained in place of the weights. */
  readonly adapter: boolean;
  /** Rows that are trained at most, and rows held out at most. */
  readonly rows: number;
  readonly heldOut: number;
}

/** Models with fewer weights train all of them. */
const largestWhole = 20e6;

/** Of a small model, which trains all its weights. */
export const allWeights: TrialSettings = {
  ...{ steps: 100, batchSize: 16, learningRate: 1e-4, adapter: false },
  ...{ rows: 800, heldOut: 200 },
};

/** Of any other: under ten minutes on two cores, up to some 150 million weights. */
export const withAdapter: TrialSettings = {
  ...{ steps: 12, batchSize: 4, learningRate: 5e-4, adapter: true },
  ...{ rows: 64, heldOut: 24 },
};

/** What fits a model. */
export function settingsFor(config: DecoderConfig): TrialSettings {
  return totalSize(decoderTensors(config).values()) < largestWhole ? allWeights : withAdapter;
}

/** Rows trained before a rule that compares the model with its start begins to choose: a fifth of the trial. */
export const warmupRows = ({ steps, batchSize }: Pick<TrialSettings, "steps" | "batchSize">): number =>
  Math.floor((steps * batchSize) / 5);

/** The share that rules keep: they drop twice the share that is wrong, at least 5 % and at most half, in whole per cent. */
export function ratioFor(wrongShare: number): number {
  return (100 - Math.min(50, Math.max(5, Math.round(200 * wrongShare)))) / 100;
}
