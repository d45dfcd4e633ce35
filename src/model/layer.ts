import type * as tf from "@tensorflow/tfjs-core";
import type { StoredWeight } from "../tensor/stored-weight.ts";
import type { NormName, ProjectionName } from "./projections.ts";

/** A matrix of a model: in the engine's memory, or frozen in its file. */
export type ModelWeight = tf.Variable<tf.Rank.R2> | StoredWeight;

/** A linear map `x weight^T + bias`, `weight [outputs, inputs]`. */
export interface Projection {
  weight: ModelWeight;
  bias?: tf.Variable<tf.Rank.R1>;
  /** What an adapter adds to the output `y [N, outputs]` for the input `x [N, inputs]`. */
  adapt?: (x: tf.Tensor2D, training: boolean, y: tf.Tensor2D) => tf.Tensor2D;
  /** The adapter's tensors in it. */
  adaptedBy?: readonly tf.Variable[];
}

/** A normalization; a bias has only that of layer norm. */
export interface Norm {
  gain: tf.Variable<tf.Rank.R1>;
  bias?: tf.Variable<tf.Rank.R1>;
}

/** One transformer block: the linear maps and norms that its configuration says. */
export interface Layer {
  projections: Readonly<Partial<Record<ProjectionName, Projection>>>;
  norms: Readonly<Partial<Record<NormName, Norm>>>;
  /** Where an adapter's dropout stands: the function returned sets it back there, to compute the block a second time. */
  markDropout?: () => () => void;
}

/**
 * What a layer's tokens attend to: rotated queries `[N, heads * headSize]`, rotated keys and values
 * `[N, keyValueHeads * headSize]` -> `[N, heads * headSize]`. Packed rows, a cache and eviction differ in this alone.
 * `input [N, width]` is the hidden state that the three were projected from, normalised where the model has a norm
 * there.
 */
export type AttentionHook = (
  layer: number,
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  input: tf.Tensor2D,
) => tf.Tensor2D;
