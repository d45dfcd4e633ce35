import type { DecoderConfig } from "../config.ts";
import type { GgufEntries, GgufValue } from "../gguf-entries.ts";
import type { ProjectionName } from "../projections.ts";
import { refuseForLlamaCpp, ropeToGguf } from "../rope/index.ts";
import type { GgufWriting } from "./family.ts";

/** How the files of a family differ from a Llama's. */
interface GgufDialect extends Pick<GgufWriting, "ggufValues"> {
  /** Projections that may have biases in llama.cpp. Default: none. */
  biases?: readonly ProjectionName[];
  /** The architecture's own keys, without its name; it throws for what llama.cpp computes otherwise. */
  own?(config: DecoderConfig): Readonly<Record<string, GgufValue>>;
  /** llama.cpp has windows here. Default: it sees all, and files say that texts are no longer than the window. */
  windows?: true;
}

/** How a family is written whose files differ from others in this alone. */
export function ggufWriting(architecture: string, dialect: GgufDialect = {}): GgufWriting {
  const { biases = [], own = () => ({}), windows = false, ...rest } = dialect;
  return {
    architecture,
    ...rest,
    entries(config) {
      const strange = config.biases.filter((name) => !biases.includes(name));
      if (strange.length > 0) refuseInGguf(`biases in ${strange.join(", ")}`, config);
      const longest = windows ? config.maxPositions : seenWhole(config);
      return writeGgufKeys(architecture, { ...config, maxPositions: longest }, own(config));
    },
    notes: (config) => [...(windows ? [] : windowNotes(config)), ...ropeNotes(config)],
    moreTensors: rotationFactors,
  };
}

/** For what llama.cpp computes otherwise. */
export function refuseInGguf(what: string, { family }: Pick<DecoderConfig, "family">): never {
  refuseForLlamaCpp(`${what} in the family ${family}`);
}

/** The longest text in which a window hides nothing. */
function seenWhole({ window = Infinity, windowLayers = [], maxPositions }: DecoderConfig): number {
  return windowLayers.length > 0 ? Math.min(window, maxPositions) : maxPositions;
}

function windowNotes(config: DecoderConfig): string[] {
  const longest = seenWhole(config);
  if (longest === config.maxPositions) return [];
  return [
    `llama.cpp has no window in this family: the file says that texts have at most ${longest} tokens, its width.`,
  ];
}

function ropeNotes({ rope, maxPositions }: DecoderConfig): string[] {
  if (rope?.scaling?.type !== "longrope" || rope.scaling.originalMaxPositions >= maxPositions) return [];
  const length = rope.scaling.originalMaxPositions;
  return [
    `llama.cpp takes the factors of long texts for all texts where its context (-c) has more than ${length} tokens.`,
  ];
}

/**
 * The key-values of a GGUF header that the families share, under the name of the architecture
 * (keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * @param own the architecture's own keys, without its name
 * @throws UserError for a rotation that llama.cpp does not compute
 */
function writeGgufKeys(
  architecture: string,
  config: DecoderConfig,
  own: Readonly<Record<string, GgufValue>>,
): GgufEntries {
  const keys = {
    vocab_size: config.vocabularySize,
    context_length: config.maxPositions,
    embedding_length: config.width,
    block_count: config.layers,
    feed_forward_length: config.feedForwardWidth,
    "attention.head_count": config.heads,
    "attention.head_count_kv": config.keyValueHeads,
    "attention.key_length": config.headSize,
    "attention.value_length": config.headSize,
    [config.norm === "layer" ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"]: {
      float: config.epsilon,
    },
    ...(config.attentionCap !== undefined && { attn_logit_softcapping: { float: config.attentionCap } }),
    ...(config.outputCap !== undefined && { final_logit_softcapping: { float: config.outputCap } }),
    ...(config.rope !== undefined && ropeToGguf({ ...config, rope: config.rope }).keys),
    ...own,
  };
  const named = Object.entries<GgufValue>(keys).map(([key, value]) => [`${architecture}.${key}`, value] as const);
  return Object.fromEntries(named);
}

/** Tensors with the factors of a rotation, where it has some. */
function rotationFactors({ rope, headSize }: DecoderConfig): { name: string; values: Float32Array }[] {
  return rope === undefined ? [] : [...ropeToGguf({ rope, headSize }).tensors];
}
