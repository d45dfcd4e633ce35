import * as tf from "@tensorflow/tfjs-core";

/** Gradient sums by tensor, while a tape is walked. */
export interface AccumulatedGradients {
  of(tensor: tf.Tensor): tf.Tensor | undefined;
  /** Adds to the tensor's gradient; `gradient` is this object's from then on. */
  add(tensor: tf.Tensor, gradient: tf.Tensor): void;
  /** Hands the tensor's gradient over to the caller. */
  take(tensor: tf.Tensor): tf.Tensor;
  /** Forgets the tensor's gradient. */
  free(tensor: tf.Tensor): void;
  freeAll(): void;
}

/** Starts from gradients that stay the caller's: only what is made here is ever freed here. */
export function accumulateGradients(start: readonly (readonly [tf.Tensor, tf.Tensor])[]): AccumulatedGradients {
  const entries = new Map<number, { gradient: tf.Tensor; owned: boolean }>();

  const put = (tensor: tf.Tensor, gradient: tf.Tensor, owned: boolean): void => {
    const before = entries.get(tensor.id);
    if (before === undefined) {
      entries.set(tensor.id, { gradient, owned });
      return;
    }
    entries.set(tensor.id, { gradient: tf.keep(tf.add(before.gradient, gradient)), owned: true });
    if (before.owned) before.gradient.dispose();
    if (owned) gradient.dispose();
  };
  for (const [tensor, gradient] of start) put(tensor, gradient, false);

  return {
    of: (tensor) => entries.get(tensor.id)?.gradient,
    add: (tensor, gradient) => put(tensor, gradient, true),
    take(tensor) {
      const { gradient, owned } = entries.get(tensor.id)!;
      entries.delete(tensor.id);
      return owned ? gradient : tf.keep(tf.clone(gradient));
    },
    free(tensor) {
      const entry = entries.get(tensor.id);
      if (entry?.owned === true) entry.gradient.dispose();
      entries.delete(tensor.id);
    },
    freeAll() {
      for (const { gradient, owned } of entries.values()) if (owned) gradient.dispose();
      entries.clear();
    },
  };
}
