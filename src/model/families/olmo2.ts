import { areBiased, ofAttention } from "./biases.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys } from "./gguf-keys.ts";
import { ggufWriting, refuseInGguf } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { refuseWindows } from "./windows.ts";

const { q, k, v, query, key, o, gate, up, down } = usualLayout.parts;
const layout = {
  ...usualLayout,
  parts: {
    ...{ q, k, v, query, key, o },
    afterAttention: "post_attention_layernorm",
    ...{ gate, up, down },
    afterFeedForward: "post_feedforward_layernorm",
  },
};

/** OLMo 2 (arXiv 2501.00656): norms behind attention and feed-forward part, and over all queries and all keys. */
export const olmo2: Family = {
  modelType: "olmo2",
  architectures: ["Olmo2ForCausalLM"],
  models: "OLMo 2",
  features: "norms behind each part, and over all queries and all keys",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, {
      maxPositions: 2048,
      epsilon: 1e-5,
      specialTokens: { eos_token_id: 50_279, pad_token_id: 1 },
    });
    refuseWindows(fields, where, facts.layers);
    return {
      ...facts,
      normPlacement: "after",
      queryKeyNorm: "whole",
      biases: fields.boolean("attention_bias", false) ? ofAttention : [],
    };
  },
  write: (config) => writeSharedKeys(config, { attention_bias: areBiased(config, ofAttention), attention_dropout: 0 }),
  layout,
  gguf: {
    architecture: "olmo2",
    parse: (header, facts) => ({
      ...parseGgufKeys(header, facts),
      normPlacement: "after",
      queryKeyNorm: "whole",
      biases: [],
    }),
  },
  ggufWriting: ggufWriting("olmo2", {
    own(config) {
      if (config.tiedOutput) refuseInGguf("a tied output", config);
      return {};
    },
  }),
};
