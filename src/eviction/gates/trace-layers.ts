import * as tf from "@tensorflow/tfjs-core";
import { decode, type Decoder } from "../../model/decoder.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import { packedAttention } from "../../model/packed-attention.ts";
import type { PackedTokens } from "../../model/packing.ts";

/**
 * Runs a model once over packed rows, with nothing recorded for a backward pass, and keeps what is made of each layer's
 * queries, keys, values and inputs. What follows the last layer's keys and values is not computed.
 * @returns of every layer the tensors of `look`, the caller's to dispose of
 */
export function traceLayers(
  model: Decoder,
  packed: PackedTokens,
  look: (layer: number, tokens: LayerTokens) => tf.Tensor[],
): tf.Tensor[][] {
  const { ids, positions } = packed;
  const { attend } = packedAttention(model, packed);
  const last = model.config.layers - 1;
  const seen: tf.Tensor[][] = [];
  try {
    const hidden = decode(
      model,
      {
        ...{ ids, positions, headless: true },
        attend(layer, q, k, v, input) {
          seen.push(tf.tidy(() => look(layer, { q, k, v, input }).map((tensor) => tf.keep(tf.clone(tensor)))));
          return layer === last ? q : attend(layer, q, k, v, input);
        },
      },
      Int32Array.of(0),
    );
    hidden.dispose();
    return seen;
  } catch (error) {
    tf.dispose(seen);
    throw error;
  }
}
