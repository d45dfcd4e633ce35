import type { DecoderConfig } from "../config.ts";
import { UserError } from "../../system/errors.ts";
import type { Fields } from "../fields.ts";
import { parseLayerRopes, writeLayerRopes } from "../rope/index.ts";
import { writeSharedKeys } from "./config-keys.ts";
import type { Family } from "./family.ts";
import { gemmaWriting } from "./gemma-gguf-writing.ts";
import { gemmaInGguf } from "./gemma-gguf.ts";
import { gemma2, gemmaWindows, parseGemmaKeys, writeGemmaKeys } from "./gemma2.ts";
import { refuseInGguf } from "./gguf-write-keys.ts";
import { allButEvery, listedWindows, numbersFrom } from "./windows.ts";

/** The text models of Gemma 3 (arXiv 2503.19786): five layers with a window and a base of their own to each without. */
export const gemma3: Family = {
  modelType: "gemma3_text",
  architectures: ["Gemma3ForCausalLM"],
  models: "Gemma 3 of 270M and 1B, text parts of the others",
  features: "what a Gemma 2 has but for the caps, norms of queries and keys, two rotations",
  parse(fields, where) {
    const ropes = (headSize: number, maxPositions: number) =>
      parseLayerRopes(fields, where, { headSize, maxPositions, theta: 1e6, localTheta: 1e4 });
    const facts = parseGemmaKeys(fields, where, { maxPositions: 131_072, caps: {}, ropes });
    if (facts.attentionCap !== undefined) {
      throw new UserError(
        "unsupported-model",
        "attn_logit_softcapping is set, which transformers does not compute in a gemma3_text",
        { where, fix: "Set attn_logit_softcapping to null." },
      );
    }
    const windowLayers = listedWindows(fields, where, facts.layers) ?? allButEvery(patternOf(fields), facts.layers);
    return { ...facts, queryKeyNorm: "head", ...gemmaWindows(fields, where, windowLayers) };
  },
  write(config) {
    const { rope, localRope = rope } = config;
    if (rope === undefined || localRope === undefined) throw new Error("a gemma3_text rotates its heads");
    const own = { ...writeGemmaKeys(config), ...writePattern(config), ...writeLayerRopes(rope, localRope, config) };
    return writeSharedKeys(config, own);
  },
  layout: gemma2.layout,
  gguf: {
    architecture: "gemma3",
    models: "Gemma 3",
    ...gemmaInGguf({
      caps: {},
      largestLayers: 62,
      pattern: 6,
      own: { queryKeyNorm: "head", localTheta: 1e4 },
    }),
  },
  ggufWriting: gemmaWriting("gemma3", {
    largestLayers: 62,
    own(config) {
      const { layers, rope, localRope = rope, windowLayers = [], attentionCap, outputCap } = config;
      if (attentionCap !== undefined || outputCap !== undefined) refuseInGguf("caps", config);
      if (localRope?.scaling !== undefined) refuseInGguf("a scaled rotation in layers with a window", config);
      return {
        "attention.sliding_window_pattern": numbersFrom(0, layers).map((layer) => windowLayers.includes(layer)),
        ...(localRope !== undefined && { "rope.freq_base_swa": { float: localRope.theta } }),
      };
    },
  }),
};

/** One layer in so many has no window. (transformers also writes `_sliding_window_pattern`, and never reads it.) */
function patternOf(fields: Fields): number {
  return fields.integer("sliding_window_pattern", { min: 1, fallback: 6 });
}

/** How transformers 4 is told of the layers with a window, where they have a pattern. */
function writePattern({ layers, windowLayers = [] }: DecoderConfig): { sliding_window_pattern?: number } {
  const wanted = windowLayers.join();
  const pattern = [6, ...numbersFrom(1, layers + 2)].find((each) => allButEvery(each, layers).join() === wanted);
  return pattern === undefined ? {} : { sliding_window_pattern: pattern };
}
