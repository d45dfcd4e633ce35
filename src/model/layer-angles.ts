import * as tf from "@tensorflow/tfjs-core";
import type { DecoderConfig } from "./config.ts";
import { rotaryAngles, type Rope } from "./rope/index.ts";

/** Cosine and sine of each token's rotation, `[N, turned pairs of a head]`. */
export type Angles = readonly [cos: tf.Tensor2D, sin: tf.Tensor2D];

/**
 * Computes the rotations of a pass once. The function returned gives those of a layer; undefined: it rotates nothing.
 * @param lengths tokens of each token's text so far, as `rotaryAngles` takes them
 */
export function layerAngles(
  { rope, localRope, windowLayers = [], unrotatedLayers = [], headSize }: DecoderConfig,
  positions: Int32Array,
  lengths?: Int32Array,
): (layer: number) => Angles | undefined {
  const known = new Map<Rope, Angles>();
  const anglesOf = (used: Rope): Angles => {
    if (!known.has(used)) {
      const { cos, sin, pairs } = rotaryAngles(positions, { headSize, rope: used }, lengths);
      const shape: [number, number] = [positions.length, pairs];
      known.set(used, [tf.tensor2d(cos, shape), tf.tensor2d(sin, shape)]);
    }
    return known.get(used)!;
  };
  return (layer) => {
    const used = windowLayers.includes(layer) ? (localRope ?? rope) : rope;
    return used === undefined || unrotatedLayers.includes(layer) ? undefined : anglesOf(used);
  };
}
