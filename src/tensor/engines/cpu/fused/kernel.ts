import * as tf from "@tensorflow/tfjs-core";
import type { FusedKernels, KernelName } from "../../../ops/kernels.ts";
import type { CpuBackend } from "../backend.ts";

/** One of the fused kernels of `ops/kernels.ts`, with its inputs and attributes as declared there. */
export type FusedKernel<K extends KernelName> = (
  inputs: FusedKernels[K]["inputs"],
  attrs: FusedKernels[K]["attrs"],
  backend: CpuBackend,
) => tf.TensorInfo[];

/** Lends arrays of the host to kernels as blocks of the arena; `body` is given their places in the same order. */
export function withHostArrays<T>(
  { machine }: CpuBackend,
  arrays: readonly (Int32Array | Float32Array)[],
  body: (...places: number[]) => T,
): T {
  const places = arrays.map(({ byteLength }) => machine.arena.allocate(byteLength));
  try {
    arrays.forEach(({ buffer, byteOffset, byteLength }, i) =>
      machine.arena.uint8(places[i]!, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength)),
    );
    return body(...places);
  } finally {
    places.forEach((place) => machine.arena.free(place));
  }
}

/** Makes the values the variable's own, where another tensor shares them, before they are changed in place. */
export function writable(backend: CpuBackend, variable: tf.Variable): number {
  if (backend.refCount(variable.dataId) > 1) {
    const copy = backend.empty(variable.shape, "float32", backend.placeOf(variable));
    backend.valuesOf(copy).set(backend.valuesOf(variable));
    const own = tf.engine().makeTensorFromTensorInfo(copy, backend);
    variable.assign(own);
    own.dispose();
  }
  return backend.placeOf(variable);
}
