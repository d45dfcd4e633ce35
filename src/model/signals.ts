import * as tf from "@tensorflow/tfjs-core";
import type { Forward, ForwardSignals } from "../contract/index.ts";

/** A result of a pass on its way to a `[rows * width]` array. */
export interface PendingSignal {
  name: keyof ForwardSignals;
  /** Where each value goes; -1 = nowhere. */
  slots: Int32Array;
  /** As many values as slots, or as many for each slot; a list where the signal is one. Undefined where there are none. */
  values: tf.Tensor | readonly tf.Tensor[] | undefined;
}

/** Reads tensors once, all together, into arrays of `size` that are 0 elsewhere. Frees the tensors when read. */
export function readableSignals(
  size: number,
  pending: readonly PendingSignal[],
): Pick<Forward, "read"> & { dispose(): void } {
  const dispose = (): void => tf.dispose(pending.map(({ values }) => values as tf.TensorContainer));
  const readAll = async (): Promise<Map<string, Float32Array | Float32Array[]>> => {
    const listed = pending.map(({ values }) => (Array.isArray(values) ? (values as tf.Tensor[]) : undefined));
    const data = await Promise.all(
      pending.map(({ values }, i) =>
        Promise.all((listed[i] ?? [values as tf.Tensor | undefined]).map((x) => x?.data())),
      ),
    );
    dispose();
    return new Map(
      pending.map(({ name, slots }, i) => {
        const arrays = data[i]!.map((values) => spread(size, slots, values));
        return [name, listed[i] === undefined ? arrays[0]! : arrays];
      }),
    );
  };
  let arrays: Promise<Map<string, Float32Array | Float32Array[]>> | undefined;
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

/** An array of `size` places, each with room for what there is of one slot. */
function spread(size: number, slots: Int32Array, values: ArrayLike<number> | undefined): Float32Array {
  const each = values === undefined || slots.length === 0 ? 1 : values.length / slots.length;
  const array = new Float32Array(size * each);
  if (values === undefined) return array;
  slots.forEach((slot, i) => {
    if (slot < 0) return;
    for (let n = 0; n < each; n++) array[slot * each + n] = values[i * each + n]!;
  });
  return array;
}
