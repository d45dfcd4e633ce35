import * as tf from "@tensorflow/tfjs-core";
import { causalAttention } from "../tensor/ops/index.ts";
import { attentionOf } from "./attention.ts";
import type { Decoder } from "./decoder.ts";
import type { AttentionHook } from "./layer.ts";
import type { PackedTokens } from "./packing.ts";

/** Causal attention within each packed row; in one layer it also takes down the attention on prompt tokens. */
export function packedAttention(
  { config }: Decoder,
  { starts, promptKeys }: PackedTokens,
  measured?: number,
): { attend: AttentionHook; promptMass: () => tf.Tensor1D | undefined } {
  const { layers } = config;
  if (measured !== undefined && !(Number.isInteger(measured) && measured >= -layers && measured < layers))
    throw new RangeError(
      `layer ${measured} does not exist: the model has layers 0 to ${layers - 1}, or -${layers} to -1`,
    );
  const measuredLayer = measured === undefined ? undefined : (measured + layers) % layers;
  let promptMass: tf.Tensor1D | undefined;
  return {
    attend(layer, q, k, v) {
      const keys = layer === measuredLayer ? promptKeys : undefined;
      const result = causalAttention(q, k, v, { ...attentionOf(config, layer), starts, promptKeys: keys });
      if (result.promptMass !== undefined) promptMass ??= tf.keep(result.promptMass); // a layer may be run twice
      return result.output;
    },
    promptMass: () => promptMass,
  };
}
