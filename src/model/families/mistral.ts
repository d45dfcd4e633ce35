import { UserError } from "../../system/errors.ts";
import type { Fields } from "../fields.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { usualLayout } from "./layout.ts";

/** Mistral 7B (arXiv 2310.06825) and its like: a Llama without biases, whose window must reach over the whole text. */
export const mistral: Family = {
  modelType: "mistral",
  architectures: ["MistralForCausalLM"],
  models: "Mistral 7B from version 0.2 on, Mistral Nemo",
  without: "a sliding window in force",
  parse(fields, where) {
    for (const key of ["attention_bias", "mlp_bias"]) {
      if (fields.boolean(key, false)) {
        throw new UserError("invalid-model-config", `${key} is set, but a mistral has no biases`, {
          where,
          fix: `If the weights have some, set model_type to "llama": it is computed the same.`,
        });
      }
    }
    const facts = parseSharedKeys(fields, where, { maxPositions: 131_072, keyValueHeads: 8 });
    return { family: "mistral", ...facts, biases: [], ...parseWindow(fields, where, facts.maxPositions) };
  },
  write(config) {
    if (config.biases.length > 0) {
      throw new UserError("unsupported-model", `a mistral has no biases, here ${config.biases.join(", ")} have one`, {
        where: "configuration of the model",
        fix: "Name the family that the model belongs to.",
      });
    }
    return writeSharedKeys(config, { attention_dropout: 0, sliding_window: config.window ?? null });
  },
  layout: usualLayout,
  // GGUF files have no name for it: they say llama.
};

function parseWindow(fields: Fields, where: string, maxPositions: number): { window?: number } {
  const isNone = fields.has("sliding_window") && fields.raw("sliding_window") === undefined;
  if (isNone) return {};
  const window = fields.integer("sliding_window", { fallback: 4096 }); // what transformers assumes for an absent key
  if (window >= maxPositions) return { window };
  throw new UserError(
    "unsupported-model",
    `the sliding window of ${window} tokens is in force (max_position_embeddings is ${maxPositions})`,
    {
      where,
      fix: `Set max_position_embeddings to ${window} if your rows are no longer than that: the result is then the same.`,
    },
  );
}
