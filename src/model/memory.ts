import type { DecoderConfig } from "./config.ts";
import { loraSettings, type LoraOptions } from "./adapters/options.ts";
import { decoderTensors } from "./families/index.ts";
import { projectionsOf, projectionSize, type ProjectionName } from "./projections.ts";

/** What a training run holds at once. */
export interface TrainingMemoryOptions {
  /** Tokens of the largest micro-batch, prompts included and padding not. */
  tokens: number;
  /** Of these the tokens whose loss is wanted. */
  responseTokens: number;
  /** Trained instead of the weights. */
  adapter?: LoraOptions;
  gradientCheckpointing?: boolean;
  /** Whether a step has several micro-batches, so that gradients wait while the next one runs. */
  accumulates?: boolean;
  /** Further copies of what is trained: a moving history, a snapshot. Default 0. */
  copies?: number;
}

/** Bytes. */
export interface TrainingMemory {
  weights: number;
  /** Two numbers per trained one. */
  moments: number;
  gradients: number;
  /** What the backward pass of a micro-batch needs. */
  activations: number;
  /** The largest sum of all at one time, and the program itself. */
  peak: number;
}

const float = 4;
/** Node, TensorFlow.js, the libraries and the heap, whatever the model. */
const program = 300e6;
/** Logits that the cpu engine keeps for the gradient, and those it holds at a time beside them. */
const keptLogits = 64 * 1024 * 1024;
const logitsLimit = 32 * 1024 * 1024;
/** Blocks of the arena are rounded up to size classes, and gaps between them stay. */
const slack = 1.05;

/**
 * Estimates the resident memory of a training run on the cpu engine, where activations are float32: the forward pass
 * keeps what each operation's gradient needs, and gradients grow while activations are let go of.
 */
export function estimateTrainingMemory(config: DecoderConfig, options: TrainingMemoryOptions): TrainingMemory {
  const { tokens, responseTokens, accumulates = false, copies = 0 } = options;
  const total = sizeOf(decoderTensors(config));
  const trained = options.adapter === undefined ? total : adapterSize(config, options.adapter);
  const { width, layers, headSize, vocabularySize } = config;
  const { byBlock, notByFirst } = keptOfToken(config, options.adapter);
  const reached = layers - (options.adapter?.layers === undefined ? 0 : Math.min(...options.adapter.layers));
  const blocks = options.gradientCheckpointing === true ? reached * width + byBlock : reached * byBlock - notByFirst;
  const allLogits = responseTokens * vocabularySize;
  const kept = Math.min(keptLogits / float, allLogits);
  const activations = tokens * (blocks + headSize) + 2 * responseTokens * width + kept;
  const logits = Math.min(logitsLimit / float, allLogits);
  const outputGradient = options.adapter === undefined ? vocabularySize * width : 0;
  const waiting = accumulates ? trained : 0;
  const atTurn = activations + logits + outputGradient + waiting;
  // A tied embedding's gradients, of the output and of the input, wait for their sum.
  const tiedGradients = options.adapter === undefined && config.tiedOutput ? 2 * vocabularySize * width : 0;
  const atEnd = trained + waiting + tiedGradients + activations / layers;
  const constant = total + (2 + copies) * trained + (options.adapter === undefined ? 0 : trained);
  return {
    weights: float * total,
    moments: 2 * float * trained,
    gradients: float * trained,
    activations: float * activations,
    peak: program + slack * float * (constant + Math.max(atTurn, atEnd)),
  };
}

/** Numbers that a block keeps of each token for its gradient; fewer by the first one with something to train. */
function keptOfToken(config: DecoderConfig, adapter: LoraOptions | undefined): { byBlock: number; notByFirst: number } {
  const { width, feedForwardWidth, heads, keyValueHeads, headSize } = config;
  const queries = heads * headSize;
  const inputOf = (name: ProjectionName): number =>
    name === "o" ? queries : name === "down" ? feedForwardWidth : width;
  const keys = keyValueHeads * headSize;
  // of a norm: its input and its scale
  const norms = (config.normPlacement === "around" ? 2 : 1) * (width + 1);
  const ofQueriesAndKeys = config.queryKeyNorm === undefined ? 0 : queries + keys + heads + keyValueHeads;
  // of attention: queries, output and its log-sums, keys and values
  const ofAttention = norms + ofQueriesAndKeys + 2 * queries + heads + 2 * keys;
  const ofFeedForward = norms + (config.gated === false ? 1 : 2) * feedForwardWidth;
  const settings = adapter === undefined ? undefined : loraSettings(adapter, config);
  const adapted = settings?.projections ?? projectionsOf(config);
  const dropped = (settings?.dropout ?? 0) > 0;
  const reads = (...names: ProjectionName[]): boolean => !dropped && names.some((name) => adapted.includes(name));
  const inputs =
    Number(reads("q", "k", "v", "qkv")) * width +
    Number(reads("gate", "up", "gateUp")) * width +
    Number(reads("down")) * feedForwardWidth;
  const masked = dropped ? adapted.reduce((sum, name) => sum + 2 * inputOf(name), 0) : 0;
  const lowRank = settings === undefined ? 0 : adapted.length * settings.rank;
  const trainsAttention = (["q", "k", "v", "qkv", "o"] as const).some((name) => adapted.includes(name));
  return {
    byBlock: ofAttention + ofFeedForward + inputs + masked + lowRank,
    notByFirst: settings === undefined ? 0 : trainsAttention ? width : ofAttention + width,
  };
}

function adapterSize(config: DecoderConfig, adapter: LoraOptions): number {
  const { rank, projections, layers } = loraSettings(adapter, config);
  const sides = projections.map((name) => {
    const [outputs, inputs] = projectionSize(config, name);
    return outputs + inputs;
  });
  return layers.length * rank * sides.reduce((sum, side) => sum + side, 0);
}

function sizeOf(tensors: ReadonlyMap<string, readonly number[]>): number {
  return [...tensors.values()].reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
