import type * as tf from "@tensorflow/tfjs-core";

const writes = new WeakMap<tf.Variable, number>();

/** Notes that a kernel has written over the values of a variable in place, where TensorFlow.js does not see it. */
export function noteWrite(variable: tf.Variable): void {
  writes.set(variable, (writes.get(variable) ?? 0) + 1);
}

/** Tells whether any of the variables has other values than when it was last asked; the first time it has. */
export function changeDetector(variables: readonly tf.Variable[]): () => boolean {
  let seen: readonly unknown[] | undefined;
  return () => {
    const now = variables.flatMap((variable) => [variable.dataId, writes.get(variable)]);
    const changed = seen === undefined || now.some((value, i) => value !== seen![i]);
    seen = now;
    return changed;
  };
}
