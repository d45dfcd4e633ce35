import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import type { FusedKernels, KernelName } from "../../../ops/kernels.ts";

/** One of the fused kernels of `ops/kernels.ts`, with its inputs and attributes as declared there. */
export type ShaderKernel<K extends KernelName> = (
  inputs: FusedKernels[K]["inputs"],
  attrs: FusedKernels[K]["attrs"],
  backend: WebGPUBackend,
) => tf.TensorInfo[];

/** Gives the variable new values. */
export function assign(backend: WebGPUBackend, variable: tf.Variable, values: tf.TensorInfo): void {
  const tensor = tf.engine().makeTensorFromTensorInfo(values, backend);
  variable.assign(tensor);
  tensor.dispose();
}

/** Runs `body` with arrays of the host as tensors, which are freed afterwards. */
export function withHostArrays<T>(
  backend: WebGPUBackend,
  arrays: readonly (Int32Array | Float32Array)[],
  body: (...tensors: tf.TensorInfo[]) => T,
): T {
  const tensors = arrays.map((values) =>
    backend.makeTensorInfo([values.length], values instanceof Int32Array ? "int32" : "float32", values),
  );
  try {
    return body(...tensors);
  } finally {
    tensors.forEach((tensor) => backend.disposeData(tensor.dataId));
  }
}
