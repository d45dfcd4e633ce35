import { parseDecoderConfig, writeDecoderConfig } from "../src/model/config-file.ts";
import type { Decoder, DecoderConfig } from "../src/model/index.ts";
import { oneOf } from "../src/cli/values.ts";
import type { Flag } from "../src/config/flags.ts";

/** A model as a process can be told of it; a path's weights are loaded by our side, fresh ones serve as well for speed. */
export interface ModelSettings {
  /** In the form of a Hugging Face `config.json`. */
  config: Record<string, unknown>;
  path?: string;
  /** Of a run that says nothing about speed. */
  quick?: boolean;
}

const sizes = {
  quick: { vocabulary: 256, width: 64, layers: 2, heads: 2, keyValueHeads: 2, feedForward: 128 },
  small: { vocabulary: 8192, width: 384, layers: 6, heads: 6, keyValueHeads: 6, feedForward: 1024 },
  smollm2: { vocabulary: 49_152, width: 576, layers: 30, heads: 9, keyValueHeads: 3, feedForward: 1536 },
};

export const modelFlags = {
  size: { type: "string", value: "NAME", description: "small (13.8 M parameters, default) or smollm2 (134.5 M)." },
  model: {
    type: "string",
    value: "PATH",
    description: "A model folder or .gguf instead: its sizes, and our side its weights.",
  },
} as const satisfies Record<string, Flag>;

/** The model that the flags name; with another vocabulary where that is asked for. */
export async function modelOf(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  quick: boolean,
  vocabulary?: number,
): Promise<ModelSettings> {
  const path = flags["model"] as string | undefined;
  if (path !== undefined && vocabulary === undefined) {
    const { readModelFacts } = await import("../src/model/model.ts");
    return { quick, config: writeDecoderConfig((await readModelFacts(path)).config), path };
  }
  const name = oneOf("size", (flags["size"] as string | undefined) ?? "small", ["small", "smollm2"]);
  const size = sizes[quick ? "quick" : name];
  return { quick, config: writeDecoderConfig(llamaOf({ ...size, ...(vocabulary !== undefined && { vocabulary }) })) };
}

/** A Llama of these sizes, on texts of up to 8,192 tokens. */
export function llamaOf(size: (typeof sizes)["small"]): DecoderConfig {
  const config = {
    model_type: "llama",
    vocab_size: size.vocabulary,
    hidden_size: size.width,
    intermediate_size: size.feedForward,
    num_hidden_layers: size.layers,
    num_attention_heads: size.heads,
    num_key_value_heads: size.keyValueHeads,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  };
  return parseDecoderConfig(config, "bench");
}

export function decoderConfig({ config }: ModelSettings): DecoderConfig {
  return parseDecoderConfig(config, "bench");
}

/** Puts the model onto the current engine. */
export async function makeModel(settings: ModelSettings): Promise<Decoder> {
  const { loadModel } = await import("../src/model/index.ts");
  const { initializeModel } = await import("../src/model/initialize.ts");
  return settings.path === undefined ? initializeModel(decoderConfig(settings), { seed: 1 }) : loadModel(settings.path);
}

export function parameterCount(settings: ModelSettings): number {
  const { vocabularySize, width, layers, tiedOutput } = decoderConfig(settings);
  const embeddings = (tiedOutput ? 1 : 2) * vocabularySize * width;
  return embeddings + blockProducts(settings) + layers * 2 * width + width;
}

/** Elements of all matrices of the blocks. */
function blockProducts(settings: ModelSettings): number {
  const { width, layers, heads, keyValueHeads, headSize, feedForwardWidth } = decoderConfig(settings);
  return layers * (width * headSize * (2 * heads + 2 * keyValueHeads) + 3 * width * feedForwardWidth);
}

/**
 * Floating-point operations of the matrix products of one training step on rows of `width` tokens, all of them trained:
 * forward, and twice that for both gradients. Of attention only what a token may see is counted. What a side computes
 * beyond that (masked halves, recomputation) earns it nothing.
 */
export function trainingFlops(settings: ModelSettings, rows: number, width: number): number {
  const { vocabularySize, width: hidden, layers, heads, headSize } = decoderConfig(settings);
  const products = 2 * rows * width * (blockProducts(settings) + vocabularySize * hidden);
  const attention = 2 * rows * layers * heads * headSize * width * width;
  return 3 * (products + attention);
}
