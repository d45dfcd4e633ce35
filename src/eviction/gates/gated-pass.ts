import * as tf from "@tensorflow/tfjs-core";
import { attentionOf } from "../../model/attention.ts";
import type { AttentionVariant } from "../../model/forward.ts";
import type { Decoder } from "../../model/decoder.ts";
import { gatedAttention } from "../../tensor/ops/index.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import type { GateOptions } from "../gate-decision.ts";
import { packedExemptions, type RowKind } from "./layout.ts";
import { gateInput, type GateNetwork } from "./network.ts";
import { gateNoise, relaxGates } from "./relax.ts";

export interface GatedPassOptions extends ExemptionOptions, GateOptions {
  /** Default `prompts`. */
  readonly rows?: RowKind;
}

/**
 * Attention under gates, for `forward`: every layer's gates read its normalised hidden states, decide on the engine and
 * weigh its attention. The pass then gives the signal `gates` (probabilities) and takes its gradient.
 *
 *     using pass = forward(model, batch, { gradients, attention: gatedPass(model, gates) });
 */
export function gatedPass(
  { config }: Pick<Decoder, "config">,
  gates: GateNetwork,
  options: GatedPassOptions = {},
): AttentionVariant {
  const { rows = "prompts" } = options;
  return (packed, batch) => {
    const layout = packedExemptions(packed, batch, rows, options);
    const probabilities: tf.Tensor2D[] = [];
    return {
      gates: () => probabilities,
      attend(layer, q, k, v, input) {
        const probability = tf.keep(gates.probabilities(layer, gateInput(gates.settings, { k, v, input }), layout));
        probabilities.push(probability);
        const source = { rowIds: batch.rowIds, starts: packed.starts };
        const noise =
          options.relaxation === "gumbel"
            ? gateNoise(source, config.keyValueHeads, { ...options.noise, layer })
            : undefined;
        const value = relaxGates(probability, options, noise);
        return gatedAttention(q, k, v, value, { ...layout, ...attentionOf(config, layer) });
      },
    };
  };
}
