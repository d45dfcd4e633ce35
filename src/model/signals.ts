import type * as tf from "@tensorflow/tfjs-core";
import type { Forward, ForwardSignals } from "../contract/index.ts";

/** A result of a pass on its way to a `[rows * width]` array. */
export interface PendingSignal {
  name: keyof ForwardSignals;
  /** Where each value goes; -1 = nowhere. */
  slots: Int32Array;
  /** As many values as slots; undefined where there are none. */
  values: tf.Tensor1D | undefined;
}

/** Reads tensors once, all together, into arrays of `size` that are 0 elsewhere. Frees the tensors when read. */
export function readableSignals(
  size: number,
  pending: readonly PendingSignal[],
): Pick<Forward, "read"> & { dispose(): void } {
  const dispose = (): void => pending.forEach(({ values }) => values?.dispose());
  const readAll = async (): Promise<Map<string, Float32Array>> => {
    const data = await Promise.all(pending.map(({ values }) => values?.data()));
    dispose();
    return new Map(pending.map(({ name, slots }, i) => [name, spread(size, slots, data[i])]));
  };
  let arrays: Promise<Map<string, Float32Array>> | undefined;
  return {
    async read<K extends keyof ForwardSignals>(names: readonly K[]) {
      arrays ??= readAll();
      const known = await arrays;
      const unknown = names.find((name) => !known.has(name));
      if (unknown !== undefined) throw new Error(`read: this pass was not asked to compute ${unknown}`);
      return Object.fromEntries(names.map((name) => [name, known.get(name)])) as Pick<ForwardSignals, K>;
    },
    dispose,
  };
}

function spread(size: number, slots: Int32Array, values: ArrayLike<number> | undefined): Float32Array {
  const array = new Float32Array(size);
  if (values === undefined) return array;
  slots.forEach((slot, i) => {
    if (slot >= 0) array[slot] = values[i]!;
  });
  return array;
}
