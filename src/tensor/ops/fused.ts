import * as tf from "@tensorflow/tfjs-core";
import type { FusedKernels, KernelName } from "./kernels.ts";

let plainOnly = false;

/**
 * Runs the current backend's fused kernel of that name.
 * @returns its outputs, or `undefined` where the backend has none: the caller then runs the plain definition.
 */
export function runFused<K extends KernelName>(
  name: K,
  inputs: FusedKernels[K]["inputs"],
  attrs: FusedKernels[K]["attrs"],
): FusedKernels[K]["outputs"] | undefined {
  if (plainOnly || tf.getKernel(name, tf.getBackend()) === undefined) return undefined;
  const outputs: tf.Tensor | tf.Tensor[] = tf.engine().runKernel(name, { ...inputs }, { ...attrs });
  return (Array.isArray(outputs) ? outputs : [outputs]) as FusedKernels[K]["outputs"];
}

/** Runs `body` with the plain definition of every operation, whatever kernels the backend has: the reference of tests. */
export function withPlainDefinitions<T>(body: () => T): T {
  const before = plainOnly;
  plainOnly = true;
  try {
    return body();
  } finally {
    plainOnly = before;
  }
}

/** An operation on tensors with a gradient of its own. */
export interface Differentiable<T extends tf.Tensor> {
  /** The tensors that receive a gradient. */
  inputs: tf.Tensor[];
  /** Computes the result; hands to `save` all that the gradient needs. Everything else is freed. */
  forward(save: (tensors: tf.Tensor[]) => void): T;
  /** One gradient per input, from the result's gradient and the saved tensors. */
  gradient(dy: T, saved: tf.Tensor[]): tf.Tensor[];
}

/** Runs the operation; where a tape is recording it goes onto the tape as one node. */
export function differentiable<T extends tf.Tensor>({ inputs, forward, gradient }: Differentiable<T>): T {
  // Nothing is recording: no need for TensorFlow.js' bookkeeping, which costs more than a small kernel.
  if (tf.engine().state.gradientDepth === 0) return tf.tidy(() => forward(() => undefined));
  const run = tf.customGrad<T>((...argumentsAndSave) => {
    const save = argumentsAndSave.at(-1) as (tensors: tf.Tensor[]) => void;
    return { value: forward(save), gradFunc: gradient };
  });
  return run(...inputs);
}
