import type { DecoderConfig } from "../../model/config.ts";
import { decoderTensors, familyOf } from "../../model/families/index.ts";
import { storedBytesOf, tokenizerOf } from "../../model/model-files.ts";
import type { Rope } from "../../model/rope/index.ts";
import { openWeights } from "../../model/weights/open.ts";
import type { WeightSource } from "../../model/weights/source.ts";
import { totalSize } from "../../tensor/shape.ts";
import { optional } from "../../system/optional.ts";
import { modelTypeOf } from "../../text/models/create-model.ts";
import type { TokenizerJson } from "../../text/tokenizer-json.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

/** What a model is, by its files. */
export interface ModelDescription extends Sizes {
  path: string;
  family: string;
  /** Models of the family that people know by name. */
  models: string;
  /** What its authors trained it with and a training here leaves out. */
  trainedWithout?: string;
  parameters: number;
  /** Tokens. */
  context: number;
  /** Absent: positions have embeddings. */
  rotation?: Rotation;
  /** A window that is in force: tokens, and how many layers have it. */
  window?: { tokens: number; layers: number; rotation?: Rotation };
  unrotatedLayers?: number;
  weights: {
    files: "safetensors" | "gguf";
    bytes: number;
    formats: { format: string; tensors: number; bytes: number }[];
  };
  tokenizer: {
    /** As `tokenizer.json` names its model: "BPE". */
    kind: string;
    tokens: number;
    chatTemplate: boolean;
    /** Tokens that end an answer. */
    endOfTurn: { id: number; token: string }[];
  };
}

type Sizes = Pick<
  DecoderConfig,
  "layers" | "width" | "heads" | "keyValueHeads" | "headSize" | "feedForwardWidth" | "vocabularySize" | "tiedOutput"
>;

/** A rotation, but for the numbers of single pairs. */
interface Rotation {
  base: number;
  scaling?: string;
  factor?: number;
  originalContext?: number;
  rotatedShare?: number;
}

/** Keys that some kinds of scaling have. */
interface ScalingFacts {
  type?: string;
  factor?: number;
  originalMaxPositions?: number;
}

/** A model as the estimates want it, and as people do. */
export interface Described {
  model: ModelDescription;
  config: DecoderConfig;
  /** Bytes of each weight that can stay in its file under an adapter, by its name. */
  storedBytes: ReadonlyMap<string, number>;
}

/**
 * Reads a model's configuration, the headers of its weights, and its tokenizer.
 * @throws UserError as `loadModel`, but for weights that cannot be read
 */
export async function describeModel(path: string): Promise<Described> {
  const weights = await openWeights(path);
  try {
    return { model: described(path, weights), config: weights.config, storedBytes: storedBytesOf(weights) };
  } finally {
    await weights.close();
  }
}

function described(path: string, weights: WeightSource): ModelDescription {
  const { config } = weights;
  const { layers, width, heads, keyValueHeads, headSize, feedForwardWidth, vocabularySize, tiedOutput } = config;
  const { modelType, models, trainedWithout } = familyOf(config);
  return {
    path,
    family: modelType,
    models,
    ...optional({ trainedWithout }),
    parameters: totalSize(decoderTensors(config).values()),
    ...{ layers, width, heads, keyValueHeads, headSize, feedForwardWidth, vocabularySize, tiedOutput },
    context: config.maxPositions,
    ...positionsOf(config),
    weights: heldWeights(weights),
    tokenizer: describedTokenizer(tokenizerOf(path, weights), config),
  };
}

function positionsOf({ rope, localRope, unrotatedLayers, window, windowLayers = [] }: DecoderConfig) {
  const local = localRope && { rotation: rotationOf(localRope) };
  return {
    ...(rope && { rotation: rotationOf(rope) }),
    ...(window !== undefined &&
      windowLayers.length > 0 && { window: { tokens: window, layers: windowLayers.length, ...local } }),
    ...(unrotatedLayers && { unrotatedLayers: unrotatedLayers.length }),
  };
}

function rotationOf({ theta, scaling, rotatedShare }: Rope): Rotation {
  const { type, factor, originalMaxPositions }: ScalingFacts = scaling ?? {};
  return { base: theta, ...optional({ scaling: type, factor, originalContext: originalMaxPositions, rotatedShare }) };
}

/** Formats in the order of their bytes, the largest first. */
function heldWeights({ format: files, names, held }: WeightSource): ModelDescription["weights"] {
  const found = new Map<string, { format: string; tensors: number; bytes: number }>();
  for (const { format, bytes } of names().map((name) => held(name))) {
    const sum = found.get(format) ?? { format, tensors: 0, bytes: 0 };
    found.set(format, { format, tensors: sum.tensors + 1, bytes: sum.bytes + bytes });
  }
  const formats = [...found.values()].sort((a, b) => b.bytes - a.bytes);
  return { files, bytes: formats.reduce((sum, { bytes }) => sum + bytes, 0), formats };
}

function describedTokenizer(tokenizer: Tokenizer, { endOfText }: DecoderConfig): ModelDescription["tokenizer"] {
  const { model } = JSON.parse(new TextDecoder().decode(tokenizer.files["tokenizer.json"])) as TokenizerJson;
  const ends = [...new Set([...endOfText, ...(tokenizer.endOfText ?? [])])];
  return {
    kind: modelTypeOf(model),
    tokens: tokenizer.vocabularySize,
    chatTemplate: tokenizer.chatTemplate !== undefined,
    endOfTurn: ends.map((id) => ({ id, token: tokenizer.piece(id) })),
  };
}
