import type * as tf from "@tensorflow/tfjs-core";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";

/** Which prompt. */
export interface Prompt {
  readonly length: number;
  /** Number of the prompt, for what is drawn at random. Default 0. */
  readonly row?: number;
}

/** Says which entries of a prompt are worth more than others, once it has been read with all of them. */
export interface PromptRanking {
  readonly name: string;
  /** The numbers of a layer that `score` reads; none, if it is left out. Called within a tidy scope. */
  facts?(layer: number, tokens: LayerTokens): tf.Tensor;
  /**
   * Of each layer one number per entry, `[length * keyValueHeads]`, large = keep.
   * @param facts of each layer, as `facts` gave them; empty where there are none
   */
  scores(prompt: Prompt, facts: readonly Float32Array[]): Float32Array[];
}
