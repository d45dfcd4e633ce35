import * as tf from "@tensorflow/tfjs-core";
import type { OutputGradient } from "../tensor/tape.ts";
import type { PackedTokens } from "./packing.ts";

/** Takes the gradients on gates, `[rows * width * heads]` each, out of the batch; layers without one are left out. */
export function gateGradients(
  gradients: readonly Float32Array[],
  { slots }: Pick<PackedTokens, "slots">,
  gates: readonly tf.Tensor2D[],
): OutputGradient[] {
  return gradients.flatMap((gradient, layer): OutputGradient[] => {
    const gate = gates[layer]!;
    const heads = gate.shape[1];
    const values = new Float32Array(slots.length * heads);
    slots.forEach((slot, token) => values.set(gradient.subarray(slot * heads, (slot + 1) * heads), token * heads));
    if (!values.every(Number.isFinite))
      throw new Error(`backward: the gradient on layer ${layer}'s gates is not finite`);
    return values.every((value) => value === 0) ? [] : [[gate, tf.tensor2d(values, gate.shape)]];
  });
}
