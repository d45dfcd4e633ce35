import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { readFields } from "../fields.ts";
import { layerRopesFromGguf, ropeFromGguf, type GgufHeader } from "../rope/index.ts";
import { parseSpecialTokens } from "./config-keys.ts";
import type { GgufTensorFacts, SharedFacts } from "./family.ts";
import { usualLayout, type Layout } from "./layout.ts";
import type { WindowFacts } from "./windows.ts";

/** How the files of a family differ from a Llama's. */
export interface GgufDialect {
  /** The model's own names of the tensors. Default: `usualLayout`. */
  layout?: Layout;
  /** Positions are learned, and norms are layer norms. */
  learnedPositions?: true;
  /** Heads may turn in a part of them. */
  rotatesParts?: true;
  /** Layers with a window turn by another base; this one where the file is silent. */
  localTheta?: number;
  /** Reads `attention.sliding_window`. Default: a window in force is refused. */
  windows?: (header: GgufHeader, layers: number) => WindowFacts;
}

/**
 * Reads the key-values of a GGUF header that the families share.
 * @throws UserError for settings that this decoder would compute differently
 */
export function parseGgufKeys(
  header: GgufHeader,
  { shapes, ...ropeTensors }: GgufTensorFacts,
  dialect: GgufDialect = {},
): SharedFacts & WindowFacts {
  const { fields, key } = header;
  const { layout = usualLayout, learnedPositions, rotatesParts = false, localTheta, windows = refuseWindow } = dialect;
  const size = (name: string, max: number, fallback?: number): number =>
    fields.integer(key(name), { min: 1, max, ...(fallback === undefined ? {} : { fallback }) });
  const width = size("embedding_length", 2 ** 20);
  const heads = size("attention.head_count", 2 ** 16);
  const headSize = size("attention.key_length", 2 ** 16, width / heads);
  const maxPositions = size("context_length", 2 ** 31 - 1);
  const layers = size("block_count", 4096);
  refuseUnsupported(header, headSize);
  const epsilon = `attention.${learnedPositions ? "layer_norm_epsilon" : "layer_norm_rms_epsilon"}`;
  const ropeFacts = { headSize, maxPositions, rotatesParts, ...ropeTensors };
  return {
    vocabularySize: shapes.get(`${layout.embedding}.weight`)?.[0] ?? size("vocab_size", 2 ** 26),
    width,
    layers,
    heads,
    keyValueHeads: size("attention.head_count_kv", 2 ** 16, heads),
    headSize,
    feedForwardWidth: size("feed_forward_length", 2 ** 24),
    maxPositions,
    epsilon: fields.number(key(epsilon), { min: 0, max: 1 }),
    ...(learnedPositions
      ? {}
      : localTheta === undefined
        ? { rope: ropeFromGguf(header, ropeFacts) }
        : layerRopesFromGguf(header, { ...ropeFacts, localTheta })),
    ...windows(header, layers),
    tiedOutput: !shapes.has(`${layout.head}.weight`),
    initializerRange: 0.02,
    ...specialTokens(header),
  };
}

/** The layers that a window is in: those of `layersOf`; undefined: the file says that there is none. */
export function windowFromGguf(
  { fields, key }: GgufHeader,
  { assumed, layersOf }: { assumed?: number; layersOf: () => number[] },
): WindowFacts {
  const window = fields.integer(key("attention.sliding_window"), { fallback: assumed ?? 0 });
  return window === 0 ? {} : { window, windowLayers: layersOf() };
}

/** A window in a family that has none may not be in force. */
function refuseWindow({ fields, where, key }: GgufHeader): Record<string, never> {
  const window = fields.integer(key("attention.sliding_window"), { fallback: 0 });
  if (window === 0 || window >= fields.integer(key("context_length"))) return {};
  throw new UserError("unsupported-model", `a sliding window of ${window} tokens is not supported`, { where });
}

function refuseUnsupported({ fields, where, key }: GgufHeader, headSize: number): void {
  const sizeOr = (name: string, fallback: number): number => fields.integer(key(name), { fallback });
  if (sizeOr("expert_count", 0) > 0)
    throw new UserError("unsupported-model", "mixtures of experts are not supported", { where });
  if (sizeOr("attention.value_length", headSize) !== headSize) {
    throw new UserError("unsupported-model", "values of another size than keys are not supported", { where });
  }
  if (!fields.boolean(key("attention.causal"), true)) {
    throw new UserError("unsupported-model", "attention that is not causal is not supported", { where });
  }
}

function specialTokens({ fields, where }: GgufHeader): Pick<DecoderConfig, "beginOfText" | "endOfText" | "padToken"> {
  const id = (name: string): unknown => fields.raw(`tokenizer.ggml.${name}_token_id`);
  const ends = [...new Set([id("eos"), id("eot"), id("eom")])].filter((end) => end !== undefined);
  const named = { bos_token_id: id("bos"), eos_token_id: ends, pad_token_id: id("padding") };
  return parseSpecialTokens(readFields(named, where), where);
}
