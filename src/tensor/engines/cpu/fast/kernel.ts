import * as tf from "@tensorflow/tfjs-core";
import type { CpuBackend, Placed } from "../backend.ts";

/** What a kernel of this engine is given: its input tensors by name, and the attributes TensorFlow.js passes. */
export interface Call<A = unknown> {
  inputs: Record<string, tf.TensorInfo>;
  attrs: A;
  backend: CpuBackend;
}

export type Result = tf.TensorInfo | tf.TensorInfo[];

/**
 * A faster form of one of TensorFlow.js' kernels.
 * @returns undefined for a case it does not cover: TensorFlow.js' own cpu kernel then runs
 */
export type FastKernel<A = never> = (call: Call<A>) => Result | undefined;

export function sizeOf(tensor: tf.TensorInfo): number {
  return tf.util.sizeFromShape(tensor.shape);
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/** Lines of 16 floats that hold `floats`. */
export function linesOf(floats: number): number {
  return Math.ceil(floats / 16);
}

export function isFloat(...tensors: tf.TensorInfo[]): boolean {
  return tensors.every((tensor) => tensor.dtype === "float32");
}

/** A tensor on the same values with another shape. */
export function reshaped(backend: CpuBackend, tensor: tf.TensorInfo, shape: number[]): tf.TensorInfo {
  backend.incRef(tensor.dataId);
  return { dataId: tensor.dataId, shape, dtype: tensor.dtype };
}

/** A new tensor of zeros. */
export function zeros(backend: CpuBackend, shape: number[]): Placed {
  const out = backend.empty(shape);
  backend.valuesOf(out).fill(0);
  return out;
}
