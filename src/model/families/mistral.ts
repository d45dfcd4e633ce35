import { UserError } from "../../system/errors.ts";
import type { Fields } from "../fields.ts";
import { parseSharedKeys, writeSharedKeys } from "./config-keys.ts";
import type { Family, SharedFacts } from "./family.ts";
import { usualLayout } from "./layout.ts";
import { llamaInGguf } from "./llama.ts";
import { listedWindows, numbersFrom, parseWindow, type WindowFacts } from "./windows.ts";

/** Mistral 7B (arXiv 2310.06825) and its like: a Llama without biases, with a window in every layer. */
export const mistral: Family = {
  modelType: "mistral",
  architectures: ["MistralForCausalLM"],
  models: "Mistral 7B, Mistral Nemo",
  features: "a window in every layer, or none",
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
    return { ...facts, biases: [], ...windows(fields, where, facts) };
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
  ggufWriting: llamaInGguf, // GGUF files have no name of their own for it
};

/** A window as wide as the longest text is known, and not in force. */
function windows(fields: Fields, where: string, { layers, maxPositions }: SharedFacts): WindowFacts {
  const window = parseWindow(fields, 4096);
  if (window === undefined || !isWindowed(fields, where, layers)) return {};
  return window < maxPositions ? { window, windowLayers: numbersFrom(0, layers) } : { window };
}

/** A file with `layer_types` is a ministral for transformers; what all layers alike have, a mistral can say, too. */
function isWindowed(fields: Fields, where: string, layers: number): boolean {
  const listed = listedWindows(fields, where, layers);
  if (listed === undefined || listed.length === layers) return true;
  if (listed.length === 0) return false;
  throw new UserError("unsupported-model", "layer_types that differ are not supported in a mistral", {
    where,
    fix: "All layers of a mistral have the window: remove layer_types if that is what the model was trained with.",
  });
}
