import { UserError } from "../../system/errors.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { parseGgufKeys, windowFromGguf } from "./gguf-keys.ts";
import { ggufWriting } from "./gguf-write-keys.ts";
import { usualLayout } from "./layout.ts";
import { numbersFrom, parseWindow, refuseWindows } from "./windows.ts";

const { beforeAttention, o, beforeFeedForward, down } = usualLayout.parts;

const layout = {
  ...usualLayout,
  parts: {
    beforeAttention,
    qkv: "self_attn.qkv_proj",
    o,
    beforeFeedForward,
    "gate-up": "mlp.gate_up_proj",
    down,
  },
};

/** Phi-3 and Phi-4 (arXiv 2404.14219): queries, keys and values in one matrix, gate and values in another. */
export const phi3: Family = {
  modelType: "phi3",
  architectures: ["Phi3ForCausalLM"],
  models: "Phi-3 mini and medium, Phi-3.5 mini, Phi-4, Phi-4 mini",
  features: "joined projections, a window; LongRoPE of a part of each head",
  parse(fields, where) {
    const facts = parseSharedKeys(fields, where, {
      maxPositions: 4096,
      epsilon: 1e-5,
      rope: { rotatesParts: true, originalMaxPositions: 4096, longRopeNames: ["su", "yarn"] },
      specialTokens: { bos_token_id: 1, eos_token_id: 32_000, pad_token_id: 32_000 },
    });
    refuseWindows(fields, where, facts.layers);
    const scaling = facts.rope?.scaling?.type;
    if (scaling !== undefined && scaling !== "longrope") {
      throw new UserError("unsupported-model", `the rotary scaling ${scaling} is not that of a phi3, only longrope`, {
        where,
      });
    }
    for (const key of ["resid_pdrop", "embd_pdrop"]) {
      if (fields.number(key, { fallback: 0 }) === 0) continue;
      throw new UserError("unsupported-model", `${key} is not supported`, {
        where,
        fix: `Set ${key} to 0 to train without it.`,
      });
    }
    const window = parseWindow(fields);
    return {
      ...facts,
      joined: ["qkv", "gate-up"],
      biases: [],
      ...(window !== undefined && { window, windowLayers: numbersFrom(0, facts.layers) }),
    };
  },
  write: (config) =>
    writeSharedKeys(config, {
      attention_dropout: 0,
      resid_pdrop: 0,
      embd_pdrop: 0,
      sliding_window: config.window ?? null,
    }),
  layout,
  gguf: {
    architecture: "phi3",
    parse: (header, facts) => ({
      ...parseGgufKeys(header, facts, {
        rotatesParts: true,
        windows: (header, layers) => windowFromGguf(header, { layersOf: () => numbersFrom(0, layers) }),
      }),
      joined: ["qkv", "gate-up"],
      biases: [],
    }),
  },
  ggufWriting: ggufWriting("phi3", {
    own: ({ window }): Record<string, number> => (window === undefined ? {} : { "attention.sliding_window": window }),
  }),
};
