import { totalSize } from "../tensor/shape.ts";
import type { DecoderConfig } from "./config.ts";
import { embeddingModule, headModule } from "./adapters/modules.ts";
import { loraSettings, targetsOf, type LoraOptions } from "./adapters/options.ts";
import { savedTensors } from "./adapters/targets.ts";
import { decoderTensors } from "./families/index.ts";
import { projectionsOf, type ProjectionName } from "./projections.ts";

/** What a training run holds at once. */
export interface TrainingMemoryOptions {
  /** Tokens of the largest micro-batch, prompts included and padding not. */
  tokens: number;
  /** Of these the tokens whose loss is wanted. */
  responseTokens: number;
  /** Trained instead of the weights. */
  adapter?: LoraOptions;
  /** Bytes of the weights that stay in their files, by their names. Default: none, all are in memory as float32. */
  stored?: ReadonlyMap<string, number>;
  gradientCheckpointing?: boolean;
  /** Whether a step has several micro-batches, so that gradients wait while the next one runs. */
  accumulates?: boolean;
  /** Further copies of what is trained: a moving history, a snapshot. Default 0. */
  copies?: number;
}

/** Bytes. */
export interface TrainingMemory {
  /** Those in the process's memory. */
  weights: number;
  /** Weights in their files: pages that the system keeps for all processes that read them, and can let go of. */
  files: number;
  /** Two numbers per trained one. */
  moments: number;
  gradients: number;
  /** What the backward pass of a micro-batch needs. */
  activations: number;
  /** The largest sum of all at one time, files counted, and the program itself. */
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
  const tensors = decoderTensors(config);
  const total = totalSize(tensors.values());
  const { stored } = options;
  const inFiles = [...tensors.keys()].filter((name) => stored?.has(name));
  const inMemory = total - totalSize(inFiles.map((name) => tensors.get(name)!));
  const files = inFiles.reduce((sum, name) => sum + stored!.get(name)!, 0);
  const adapter = options.adapter === undefined ? undefined : adapterSize(config, options.adapter);
  const trained = adapter?.trained ?? total;
  const { width, layers, headSize, vocabularySize } = config;
  const { byBlock, notByFirst } = keptOfToken(config, adapter);
  const reached = layers - (adapter?.firstLayer ?? 0);
  const blocks = options.gradientCheckpointing === true ? reached * width + byBlock : reached * byBlock - notByFirst;
  const allLogits = responseTokens * vocabularySize;
  const kept = Math.min(keptLogits / float, allLogits);
  const activations = tokens * (blocks + headSize) + 2 * responseTokens * width + kept;
  const logits = Math.min(logitsLimit / float, allLogits);
  const outputGradient = adapter?.outputGradient ?? vocabularySize * width;
  const waiting = accumulates ? trained : 0;
  const atTurn = activations + logits + outputGradient + waiting;
  // A tied embedding's gradients, of the output and of the input, wait for their sum.
  const tiedGradients = adapter === undefined && config.tiedOutput ? 2 * vocabularySize * width : 0;
  const atEnd = trained + waiting + tiedGradients + activations / layers;
  const beside = adapter === undefined ? 0 : trained + adapter.wideOutput;
  const constant = inMemory + (2 + copies) * trained + beside;
  return {
    weights: float * inMemory,
    files,
    moments: 2 * float * trained,
    gradients: float * trained,
    activations: float * activations,
    peak: program + files + slack * float * (constant + Math.max(atTurn, atEnd)),
  };
}

/** Numbers that a block keeps of each token for its gradient; fewer by the first one with something to train. */
function keptOfToken(config: DecoderConfig, adapter: AdapterSize | undefined): { byBlock: number; notByFirst: number } {
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
  const adapted = adapter?.projections ?? projectionsOf(config);
  const dropped = adapter?.drops ?? false;
  const reads = (...names: ProjectionName[]): boolean => !dropped && names.some((name) => adapted.includes(name));
  const inputs =
    Number(reads("q", "k", "v", "qkv")) * width +
    Number(reads("gate", "up", "gate-up")) * width +
    Number(reads("down")) * feedForwardWidth;
  const masked = dropped ? adapted.reduce((sum, name) => sum + 2 * inputOf(name), 0) : 0;
  const trainsAttention = (["q", "k", "v", "qkv", "o"] as const).some((name) => adapted.includes(name));
  const isReached = adapter === undefined || adapter.reachesEmbedding;
  return {
    byBlock: ofAttention + ofFeedForward + inputs + masked + (adapter?.keptByBlock ?? 0),
    notByFirst: isReached ? 0 : trainsAttention ? width : ofAttention + width,
  };
}

/** What an adapter adds, in numbers. */
interface AdapterSize {
  trained: number;
  /** The first layer with something to train. */
  firstLayer: number;
  /** The gradient goes on below the first layer. */
  reachesEmbedding: boolean;
  projections: readonly ProjectionName[];
  drops: boolean;
  /** Of each token in the block that keeps the most. */
  keptByBlock: number;
  /** The output projection with the change in it. */
  wideOutput: number;
  outputGradient: number;
}

function adapterSize(config: DecoderConfig, options: LoraOptions): AdapterSize {
  const settings = loraSettings(options, config);
  const targets = targetsOf(settings, config);
  const { dora = false, dropout } = settings;
  const copies = savedTensors(config, settings.modulesToSave ?? []);
  const ofTargets = targets.map(({ rank, inputs, outputs }) => rank * (inputs + outputs) + Number(dora) * outputs);
  const layersOf = new Map<number, number>();
  const projections = new Set<ProjectionName>();
  for (const { place, rank, outputs } of targets) {
    if (place.kind !== "projection") continue;
    projections.add(place.projection);
    layersOf.set(place.layer, (layersOf.get(place.layer) ?? 0) + rank + Number(dora) * outputs);
  }
  const copiedLayers = copies.flatMap(({ name }) => /\.(\d+)\./.exec(name)?.[1] ?? []).map(Number);
  const reachesEmbedding =
    targets.some(({ place }) => place.kind === "embedding") ||
    copies.some(({ name }) => name === `${embeddingModule(config)}.weight`);
  const onHead = targets.find(({ place }) => place.kind === "head");
  const wideOutput = onHead === undefined ? 0 : onHead.outputs * (onHead.inputs + onHead.rank);
  const copiesHead = copies.some(({ name }) => name === `${headModule(config)}.weight`);
  return {
    trained: [...ofTargets, totalSize(copies.map(({ shape }) => shape))].reduce((sum, size) => sum + size, 0),
    firstLayer: reachesEmbedding ? 0 : Math.min(...layersOf.keys(), ...copiedLayers, config.layers - 1),
    reachesEmbedding,
    projections: copiedLayers.length > 0 ? projectionsOf(config) : [...projections],
    drops: dropout > 0,
    keptByBlock: Math.max(0, ...layersOf.values()),
    wideOutput,
    outputGradient: copiesHead ? config.vocabularySize * config.width : wideOutput,
  };
}
