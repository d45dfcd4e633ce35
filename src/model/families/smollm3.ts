import { UserError } from "../../system/errors.ts";
import type { Fields } from "../fields.ts";
import { areBiased, ofAttention, ofFeedForward, parseBiases } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { inGgufOrder, rotatedPairs } from "./gguf-tensors.ts";
import { ggufWriting, refuseInGguf } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { everyNth, layerTypes, numbersFrom, parseOptionalWindows } from "./windows.ts";

/** SmolLM3: a Llama in which every fourth layer rotates nothing (arXiv 2501.18795). */
export const smollm3: Family = {
  modelType: "smollm3",
  architectures: ["SmolLM3ForCausalLM"],
  models: "SmolLM3",
  features: "layers that rotate nothing, perhaps with a window",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, {
      maxPositions: 32_768,
      keyValueHeads: 4,
      tiedOutput: true,
      rope: { theta: 2e6 },
      specialTokens: { bos_token_id: 128_000, eos_token_id: 128_001, pad_token_id: 128_004 },
    });
    const unrotatedLayers = parseUnrotated(fields, where, facts.layers);
    const layersOf = (): number[] => unrotatedLayers;
    return {
      ...facts,
      ...(unrotatedLayers.length > 0 && { unrotatedLayers }),
      biases: parseBiases(fields),
      ...parseOptionalWindows(fields, where, facts.layers, { layersOf }),
    };
  },
  write(config) {
    const { layers, window, windowLayers = [], unrotatedLayers = [] } = config;
    return writeSharedKeys(config, {
      attention_bias: areBiased(config, ofAttention),
      attention_dropout: 0,
      mlp_bias: areBiased(config, ofFeedForward),
      no_rope_layers: Array.from({ length: layers }, (_, layer) => Number(!unrotatedLayers.includes(layer))),
      use_sliding_window: windowLayers.length > 0,
      sliding_window: windowLayers.length > 0 ? window : null,
      layer_types: layerTypes(config),
    });
  },
  layout: usualLayout,
  gguf: {
    architecture: "smollm3",
    ...rotatedPairs,
    parse(header, facts) {
      const shared = parseGgufKeys(header, facts);
      const unrotatedLayers = everyNth(4, shared.layers); // no key says so
      return { ...shared, ...(unrotatedLayers.length > 0 && { unrotatedLayers }), biases: [] };
    },
  },
  ggufWriting: ggufWriting("smollm3", {
    ggufValues: inGgufOrder,
    own(config) {
      if (everyNth(4, config.layers).join() !== (config.unrotatedLayers ?? []).join())
        refuseInGguf("other layers without rotation than every fourth", config);
      return {};
    },
  }),
};

/** `no_rope_layers` has 1 for every layer that rotates. */
function parseUnrotated(fields: Fields, where: string, layers: number): number[] {
  const rotates = fields.raw("no_rope_layers");
  if (rotates === undefined) {
    const interval = fields.integer("no_rope_layer_interval", { min: 1, fallback: 4 });
    return everyNth(interval, layers);
  }
  if (!Array.isArray(rotates) || rotates.length < layers || rotates.some((one) => one !== 0 && one !== 1)) {
    throw new UserError(
      "invalid-model-config",
      `no_rope_layers must be a list of ${layers}: 1 for each layer that rotates, 0 for the others`,
      { where },
    );
  }
  return numbersFrom(0, layers).filter((layer) => rotates[layer] === 0);
}
