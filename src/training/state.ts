import type { SignalSource, Stateful } from "../contract/index.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import type { Model } from "../model/model.ts";
import type { Parameter } from "../model/decoder.ts";
import { adamW, type AdamWOptions, type Optimizer } from "./optimizer.ts";

/** Everything that changes while a model is trained: what a checkpoint holds. */
export interface TrainingState {
  readonly model: Model;
  readonly optimizer: Optimizer;
  readonly sources: readonly SignalSource[];
  /** What else a checkpoint must hold: further trained parts, other optimizers. */
  readonly companions: readonly Stateful[];
  /** Optimizer steps done. */
  step: number;
  /** Dataset rows trained, counted again in every epoch. */
  samplesSeen: number;
  /** Tokens with a weight other than 0, counted again in every epoch. */
  trainedTokens: number;
  /** What happened so far to each token of the dataset, in the order of `tokens.ids`. */
  readonly fates: Uint8Array;
}

/** Values of `TrainingState.fates`: the token was never in a step, always dropped, or kept at least once. */
export const fate = { unseen: 0, dropped: 1, kept: 2 } as const;

export interface NewStateOptions {
  optimizer?: AdamWOptions;
  sources?: readonly SignalSource[];
  companions?: readonly Stateful[];
  /** Trained beside the model by the same optimizer; a companion must save their values. */
  parameters?: readonly Parameter[];
}

/**
 * The state before the first step. Dispose of its optimizer after use; model, sources and companions stay the caller's.
 * @param tokens the dataset whose tokens' fates are kept; none for methods that do not train on a fixed one
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { newTrainingState } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const state = newTrainingState(model, await tokenizeDataset(rows, model.tokenizer));
 * [state.step, state.samplesSeen, state.fates.length]; //=> [0, 0, 4]
 * state.optimizer.dispose();
 * releaseEngine();
 */
export function newTrainingState(
  model: Model,
  tokens: TokenizedDataset | undefined,
  { optimizer, sources = [], companions = [], parameters = [] }: NewStateOptions = {},
): TrainingState {
  return {
    model,
    optimizer: adamW([...model.parameters, ...parameters], optimizer),
    sources,
    companions,
    step: 0,
    samplesSeen: 0,
    trainedTokens: 0,
    fates: new Uint8Array(tokens?.offsets.at(-1) ?? 0),
  };
}

/** Counts a finished step of so many rows and trained tokens, and lets the signal sources follow the model. */
export async function advance(
  state: TrainingState,
  { rows, trained }: { rows: number; trained: number },
): Promise<void> {
  state.step++;
  state.samplesSeen += rows;
  state.trainedTokens += trained;
  for (const source of state.sources) await source.afterUpdate?.(state.step);
}
