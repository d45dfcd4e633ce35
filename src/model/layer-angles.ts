import * as tf from "@tensorflow/tfjs-core";
import type { DecoderConfig } from "./config.ts";
import { rotaryAngles, type Rope } from "./rope.ts";

/** Cosine and sine of each token's rotation, `[N, pairs]`. */
export type Angles = readonly [cos: tf.Tensor2D, sin: tf.Tensor2D];

/** Computes the rotations of a pass once. The function returned gives those of a layer; undefined: it rotates nothing. */
export function layerAngles(positions: Int32Array, config: DecoderConfig): (layer: number) => Angles | undefined {
  const { rope, localRope, windowLayers = [], unrotatedLayers = [] } = config;
  const known = new Map<Rope, Angles>();
  const anglesOf = (used: Rope): Angles => {
    if (!known.has(used)) known.set(used, angleTensors(positions, used, config.headSize));
    return known.get(used)!;
  };
  return (layer) => {
    const used = windowLayers.includes(layer) ? (localRope ?? rope) : rope;
    return used === undefined || unrotatedLayers.includes(layer) ? undefined : anglesOf(used);
  };
}

function angleTensors(positions: Int32Array, rope: Rope, headSize: number): Angles {
  const { cos, sin } = rotaryAngles(positions, { headSize, rope });
  const shape: [number, number] = [positions.length, cos.length / positions.length];
  return [tf.tensor2d(cos, shape), tf.tensor2d(sin, shape)];
}
