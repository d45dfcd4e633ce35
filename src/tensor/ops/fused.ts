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
  const outputs: tf.Tensor | tf.Tensor[] = tf.engine().runKernel(name, { ...inputs }, { ...attrs } as tf.NamedAttrMap);
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
export interface Differentiable<Result> {
  /** The tensors that receive a gradient. */
  inputs: tf.Tensor[];
  /** Computes the result; hands to `save` all that the gradient needs. Everything else is freed. */
  forward(save: (tensors: tf.Tensor[]) => void): Result;
  /** One gradient per input, from the result's gradient and the saved tensors. */
  gradient(dy: Result, saved: tf.Tensor[]): tf.Tensor[];
}

/** Runs the operation; where a tape is recording it goes onto the tape as one node. */
export function differentiable<T extends tf.Tensor>({ inputs, forward, gradient }: Differentiable<T>): T {
  const [result] = differentiableAll<T>({
    inputs,
    forward: (save) => [forward(save)],
    gradient: ([dy], saved) => gradient(dy!, saved),
  });
  return result!;
}

/** The part of TensorFlow.js' engine behind `tf.customGrad`, which takes operations with one result alone. */
interface RecordingEngine {
  runKernelFunc(operation: {
    forwardFunc(backend: unknown, save: (tensors: tf.Tensor[]) => void): tf.Tensor[];
    backwardsFunc(dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]): Record<string, () => tf.Tensor>;
    inputs: Record<string, tf.Tensor>;
  }): tf.Tensor[];
}

/** The same for operations with several results. */
export function differentiableAll<T extends tf.Tensor>({ inputs, forward, gradient }: Differentiable<T[]>): T[] {
  // Nothing is recording: no need for TensorFlow.js' bookkeeping, which costs more than a small kernel.
  if (tf.engine().state.gradientDepth === 0) return tf.tidy(() => forward(() => undefined));
  const engine = tf.engine() as unknown as RecordingEngine;
  return engine.runKernelFunc({
    inputs: Object.fromEntries(inputs.map((input, i) => [i, input])),
    forwardFunc: (_, save) => forward(save),
    backwardsFunc: (dy, saved) => {
      const gradients = gradient((Array.isArray(dy) ? dy : [dy]) as T[], saved);
      return Object.fromEntries(gradients.map((each, i) => [i, () => each]));
    },
  }) as T[];
}
