import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";
import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import { activationName } from "./activations.ts";
import { areBiased, ofAttention } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys, type KeyDefaults } from "./config-keys.ts";
import type { Family, FamilyFacts } from "./family.ts";
import { gemmaWriting } from "./gemma-gguf-writing.ts";
import { embeddingScaleOf, gemmaFacts, gemmaInGguf } from "./gemma-gguf.ts";
import { refuseInGguf } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { allButEvery, layerTypes, listedWindows, parseWindow, windowFacts, type WindowFacts } from "./windows.ts";

const layout = {
  ...usualLayout,
  parts: {
    ...usualLayout.parts,
    afterAttention: "post_attention_layernorm",
    beforeFeedForward: "pre_feedforward_layernorm",
    afterFeedForward: "post_feedforward_layernorm",
  },
};

/** Gemma 2 (arXiv 2408.00118): norms around each part, capped scores and logits, a window in every other layer. */
export const gemma2: Family = {
  modelType: "gemma2",
  architectures: ["Gemma2ForCausalLM"],
  models: "Gemma 2",
  features: "norms around each part, caps, GELU, a window in every second",
  parse(fields, where) {
    const facts = parseGemmaKeys(fields, where, { maxPositions: 8192, caps: { attention: 50, output: 30 } });
    const windowLayers = listedWindows(fields, where, facts.layers) ?? allButEvery(2, facts.layers);
    return { ...facts, ...gemmaWindows(fields, where, windowLayers) };
  },
  write: (config) => writeSharedKeys(config, writeGemmaKeys(config)),
  layout,
  gguf: {
    architecture: "gemma2",
    ...gemmaInGguf({ caps: { attention: 50, output: 30 }, largestLayers: 46, pattern: 2 }),
  },
  ggufWriting: gemmaWriting("gemma2", {
    largestLayers: 46,
    own(config) {
      if (config.windowLayers?.join() !== allButEvery(2, config.layers).join())
        refuseInGguf("other windows than in every other layer", config);
      if (config.attentionCap === undefined || config.outputCap === undefined)
        refuseInGguf("scores without caps", config);
      if (!config.tiedOutput) refuseInGguf("an output that is not tied", config);
      return {};
    },
  }),
};

/** What Gemma 2 and 3 have in common. */
export function parseGemmaKeys(
  fields: Fields,
  where: string,
  defaults: KeyDefaults & { caps: { attention?: number; output?: number } },
): FamilyFacts {
  if (fields.boolean("use_bidirectional_attention", false)) {
    throw new UserError(
      "unsupported-model",
      "use_bidirectional_attention is not supported: a decoder reads backwards only",
      { where },
    );
  }
  const facts = parseSharedKeys(fields, where, {
    keyValueHeads: 4,
    headSize: 256,
    tiedOutput: true,
    activation: { key: "hidden_activation", assumed: "gelu_pytorch_tanh" },
    specialTokens: { bos_token_id: 2, eos_token_id: 1, pad_token_id: 0 },
    ...defaults,
  });
  const scalar = fields.number("query_pre_attn_scalar", { min: 1e-6, max: 1e9, fallback: 256 });
  return {
    ...facts,
    ...gemmaFacts,
    ...(scalar !== facts.headSize && { attentionScale: scalar ** -0.5 }),
    ...optional({
      attentionCap: parseCap(fields, "attn_logit_softcapping", defaults.caps.attention),
      outputCap: parseCap(fields, "final_logit_softcapping", defaults.caps.output),
    }),
    embeddingScale: embeddingScaleOf(facts.width),
    biases: fields.boolean("attention_bias", false) ? ofAttention : [],
  };
}

/** Null is none; what is absent is as transformers assumes it. */
function parseCap(fields: Fields, key: string, assumed: number | undefined): number | undefined {
  if (fields.raw(key) === undefined) return fields.has(key) ? undefined : assumed;
  return fields.number(key, { min: 1e-6, max: 1e9 });
}

export function gemmaWindows(fields: Fields, where: string, windowLayers: number[]): WindowFacts {
  const window = parseWindow(fields, 4096);
  if (window !== undefined) return { window, ...windowFacts(window, windowLayers, where) };
  throw new UserError("invalid-model-config", "sliding_window is null, but layers of a Gemma have one", {
    where,
    fix: "Give its width; without a window in any layer say so in layer_types.",
  });
}

export function writeGemmaKeys(config: DecoderConfig): Record<string, unknown> {
  return {
    attention_bias: areBiased(config, ofAttention),
    attention_dropout: 0,
    hidden_activation: activationName(config.activation),
    query_pre_attn_scalar: scalarOf(config),
    sliding_window: config.window ?? null,
    layer_types: layerTypes(config),
    attn_logit_softcapping: config.attentionCap ?? null,
    final_logit_softcapping: config.outputCap ?? null,
  };
}

/** The number whose inverse root is the factor on scores. */
function scalarOf({ attentionScale, headSize }: DecoderConfig): number {
  if (attentionScale === undefined) return headSize;
  const scalar = attentionScale ** -2;
  return Math.abs(scalar - Math.round(scalar)) < 1e-9 * scalar ? Math.round(scalar) : scalar;
}
