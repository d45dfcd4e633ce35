import { UserError } from "../../system/errors.ts";
import type { Fields } from "../fields.ts";
import { areBiased, ofAttention, ofFeedForward } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { ggufHeader, parseGgufKeys } from "./gguf-keys.ts";
import { hubNames, inHuggingFaceOrder, inGgufOrder, pairedHead } from "./gguf-tensors.ts";
import { ggufWriting, refuseInGguf } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { layerTypes, numbersFrom, parseOptionalWindows } from "./windows.ts";

/** SmolLM3: a Llama in which every fourth layer rotates nothing (arXiv 2501.18795). */
export const smollm3: Family = {
  modelType: "smollm3",
  architectures: ["SmolLM3ForCausalLM"],
  models: "SmolLM3",
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
      family: "smollm3",
      ...facts,
      ...(unrotatedLayers.length > 0 && { unrotatedLayers }),
      biases: [
        ...(fields.boolean("attention_bias", false) ? ofAttention : []),
        ...(fields.boolean("mlp_bias", false) ? ofFeedForward : []),
      ],
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
    models: "SmolLM3",
    huggingFaceName: hubNames(usualLayout),
    inHuggingFaceOrder,
    pairedHead,
    parse(fields, facts, where) {
      const shared = parseGgufKeys(ggufHeader("smollm3", fields, where), facts);
      const unrotatedLayers = everyManieth(4, shared.layers); // no key says so
      return { family: "smollm3", ...shared, ...(unrotatedLayers.length > 0 && { unrotatedLayers }), biases: [] };
    },
  },
  ggufWriting: ggufWriting("smollm3", {
    ggufValues: inGgufOrder,
    own(config) {
      const fourth = numbersFrom(0, config.layers).filter((layer) => (layer + 1) % 4 === 0);
      if (fourth.join() !== (config.unrotatedLayers ?? []).join())
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
    return everyManieth(interval, layers);
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

function everyManieth(interval: number, layers: number): number[] {
  return numbersFrom(0, layers).filter((layer) => (layer + 1) % interval === 0);
}
