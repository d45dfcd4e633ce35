import * as tf from "@tensorflow/tfjs-core";
import { embed, linears, rmsNorm, rotary, swiglu } from "../tensor/ops/index.ts";
import { differentiable } from "../tensor/ops/fused.ts";
import { recomputed } from "../tensor/recompute.ts";
import type { DecoderConfig } from "./config.ts";
import { decoderTensors } from "./families/index.ts";
import { moduleName, projectionNames, type ProjectionName } from "./projections.ts";
import { rotaryAngles } from "./rope/index.ts";

/** One trained tensor of a model. */
export interface Parameter {
  /** Its name in a Hugging Face checkpoint. */
  readonly name: string;
  readonly variable: tf.Variable;
  /** Whether weight decay applies: not to norms and biases. */
  readonly decay: boolean;
  /** Whether it receives gradients; the same as `variable.trainable`, which may be changed between steps. */
  readonly trainable: boolean;
  /** Factor on the learning rate. Default 1. */
  readonly learningRateScale?: number;
}

/** A linear map `x weight^T + bias`, `weight [outputs, inputs]`. */
export interface Projection {
  weight: tf.Variable<tf.Rank.R2>;
  bias?: tf.Variable<tf.Rank.R1>;
  /** What an adapter adds to the output, `[N, outputs]`, for the input `x [N, inputs]`. */
  adapt?: (x: tf.Tensor2D, training: boolean) => tf.Tensor2D;
  /** The adapter's matrices in it. */
  adaptedBy?: readonly tf.Variable[];
}

/** One transformer block. */
export interface Layer {
  attentionGain: tf.Variable<tf.Rank.R1>;
  q: Projection;
  k: Projection;
  v: Projection;
  o: Projection;
  feedForwardGain: tf.Variable<tf.Rank.R1>;
  gate: Projection;
  up: Projection;
  down: Projection;
  /** Where an adapter's dropout stands: the function returned sets it back there, to compute the block a second time. */
  markDropout?: () => () => void;
}

/** The weights of a decoder on the current engine. */
export interface Decoder {
  readonly config: DecoderConfig;
  readonly embedding: tf.Variable<tf.Rank.R2>;
  readonly layers: readonly Layer[];
  readonly finalGain: tf.Variable<tf.Rank.R1>;
  /** `[vocabulary, width]`; the embedding itself where the output is tied. */
  readonly outputEmbedding: tf.Variable<tf.Rank.R2>;
  /** Every weight once. */
  readonly parameters: readonly Parameter[];
  /** Frees all weights. */
  dispose(): void;
}

/**
 * What a layer's tokens attend to: rotated queries `[N, heads * headSize]`, rotated keys and values
 * `[N, keyValueHeads * headSize]` -> `[N, heads * headSize]`. Packed rows, a cache and eviction differ in this alone.
 * `input [N, width]` is the normalised hidden state that the three were projected from.
 */
export type AttentionHook = (
  layer: number,
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  input: tf.Tensor2D,
) => tf.Tensor2D;

/** Gives the values of one parameter, row-major, as many as `shape` says. */
export type WeightReader = (name: string, shape: readonly number[]) => Float32Array | Promise<Float32Array>;

/** Puts weights onto the current engine. If reading fails, what was loaded is freed again. */
export async function createDecoder(config: DecoderConfig, read: WeightReader): Promise<Decoder> {
  const parameters = new Map<string, Parameter>();
  const dispose = (): void => parameters.forEach(({ variable }) => variable.dispose());
  try {
    for (const [name, shape] of decoderTensors(config)) {
      parameters.set(name, parameterOf(name, variableOf(await read(name, shape), shape)));
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const named = <R extends tf.Rank>(name: string) => parameters.get(name)?.variable as tf.Variable<R> | undefined;
  const embedding = named<tf.Rank.R2>("model.embed_tokens.weight")!;
  return {
    config,
    embedding,
    layers: Array.from({ length: config.layers }, (_, layer) => layerOf(layer, named)),
    finalGain: named<tf.Rank.R1>("model.norm.weight")!,
    outputEmbedding: named<tf.Rank.R2>("lm_head.weight") ?? embedding,
    parameters: [...parameters.values()],
    dispose,
  };
}

/** A function of its own, so that nothing that lives on holds on to the values read. */
function variableOf(values: Float32Array, shape: readonly number[]): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor(values, [...shape], "float32")));
}

/** A tensor to train, under its name. */
export function parameterOf(name: string, variable: tf.Variable, learningRateScale = 1): Parameter {
  return {
    name,
    variable,
    decay: !isGain(name) && !isBias(name),
    learningRateScale,
    get trainable() {
      return variable.trainable;
    },
  };
}

export function isGain(name: string): boolean {
  return name.endsWith("norm.weight");
}

export function isBias(name: string): boolean {
  return name.endsWith(".bias");
}

function layerOf(index: number, named: <R extends tf.Rank>(name: string) => tf.Variable<R> | undefined): Layer {
  const prefix = `model.layers.${index}`;
  const projection = (name: ProjectionName): Projection => {
    const module = moduleName(index, name);
    const bias = named<tf.Rank.R1>(`${module}.bias`);
    const weight = named<tf.Rank.R2>(`${module}.weight`)!;
    return bias === undefined ? { weight } : { weight, bias };
  };
  return {
    attentionGain: named<tf.Rank.R1>(`${prefix}.input_layernorm.weight`)!,
    q: projection("q"),
    k: projection("k"),
    v: projection("v"),
    o: projection("o"),
    feedForwardGain: named<tf.Rank.R1>(`${prefix}.post_attention_layernorm.weight`)!,
    gate: projection("gate"),
    up: projection("up"),
    down: projection("down"),
  };
}

/** The tokens of one pass: `[N]` ids, each with its position in its own text, and what they attend to. */
export interface DecoderInput {
  ids: Int32Array;
  positions: Int32Array;
  /** Tokens of each token's text so far. Absent: the texts are packed, and each begins at position 0. */
  lengths?: Int32Array;
  attend: AttentionHook;
  /** A backward pass may follow: adapters apply their dropout. Default false. */
  training?: boolean;
  /** Keep nothing of a block but its input, and compute it again in the backward pass. Default false. */
  recompute?: boolean;
}

/**
 * Runs the decoder on packed tokens. Returns the normalised last hidden states of the tokens numbered by `rows`,
 * `[rows.length, width]`, ready for the output projection.
 */
export function decode(decoder: Decoder, input: DecoderInput, rows: Int32Array): tf.Tensor2D {
  const { ids, attend, training = false, recompute = false } = input;
  const run = recompute && training ? recomputedBlock : block;
  return tf.tidy(() => {
    const context = { config: decoder.config, attend, training, ...angleTensors(input, decoder.config) };
    let x = embed(decoder.embedding, ids);
    decoder.layers.forEach((layer, index) => {
      const before = x;
      const isLast = index === decoder.layers.length - 1;
      x = run(layer, index, before, isLast ? { ...context, rows } : context);
      before.dispose();
    });
    return rmsNorm(x, decoder.finalGain, decoder.config.epsilon);
  });
}

interface BlockContext {
  config: DecoderConfig;
  attend: AttentionHook;
  training: boolean;
  /** Of each token's rotation angles, `[N, turned pairs of a head]`. */
  cos: tf.Tensor2D;
  sin: tf.Tensor2D;
  /** The tokens whose output is wanted. Without: all. */
  rows?: Int32Array;
}

/** One block on `x [N, width]`. Inner results are freed at once, but for those a tape holds on to. */
function block(layer: Layer, index: number, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  return tf.tidy(() => {
    const attended = tf.tidy(() => add(wanted(x, context), selfAttention(layer, index, x, context)));
    return add(attended, feedForward(layer, attended, context));
  });
}

/** The same, with a backward pass that starts from the input again. */
function recomputedBlock(layer: Layer, index: number, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  const startOfMasks = layer.markDropout?.();
  let again = false;
  return recomputed(x, {
    variables: variablesOf(layer),
    constants: [context.cos, context.sin],
    build(input, [cos, sin]) {
      const inputs = { ...context, cos: cos as tf.Tensor2D, sin: sin as tf.Tensor2D };
      const endOfMasks = again ? layer.markDropout?.() : undefined;
      if (again) startOfMasks?.();
      again = true;
      const result = block(layer, index, input, inputs);
      endOfMasks?.();
      return result;
    },
  });
}

function variablesOf(layer: Layer): tf.Variable[] {
  const projections = projectionNames.flatMap((name) => {
    const { weight, bias, adaptedBy = [] } = layer[name];
    return bias === undefined ? [weight, ...adaptedBy] : [weight, bias, ...adaptedBy];
  });
  return [layer.attentionGain, layer.feedForwardGain, ...projections];
}

/** Like `tf.add`, which would keep both addends for its gradient. */
function add(x: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({ inputs: [x, y], forward: () => tf.add(x, y), gradient: (dy) => [dy, dy] });
}

function selfAttention(layer: Layer, index: number, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  const { config, attend, training, cos, sin } = context;
  const h = rmsNorm(x, layer.attentionGain, config.epsilon);
  const [q, k, v] = tf.tidy(() => {
    const [q, k, v] = projectAll(h, [layer.q, layer.k, layer.v], training) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    return [rotary(q, cos, sin, config.heads), rotary(k, cos, sin, config.keyValueHeads), v];
  });
  return project(wanted(attend(index, q, k, v, h), context), layer.o, training);
}

/** Only the tokens whose output is wanted: they need the others' keys and values, and nothing else of them. */
function wanted(x: tf.Tensor2D, { rows }: BlockContext): tf.Tensor2D {
  const isAll = rows === undefined || (rows.length === x.shape[0] && rows.every((row, i) => row === i));
  return isAll ? x : embed(x, rows);
}

function feedForward(layer: Layer, x: tf.Tensor2D, { config, training }: BlockContext): tf.Tensor2D {
  return tf.tidy(() => {
    const h = rmsNorm(x, layer.feedForwardGain, config.epsilon);
    const [gate, up] = projectAll(h, [layer.gate, layer.up], training) as [tf.Tensor2D, tf.Tensor2D];
    return project(swiglu(gate, up), layer.down, training);
  });
}

function project(x: tf.Tensor2D, projection: Projection, training: boolean): tf.Tensor2D {
  return projectAll(x, [projection], training)[0]!;
}

function projectAll(x: tf.Tensor2D, projections: readonly Projection[], training: boolean): tf.Tensor2D[] {
  return tf.tidy(() => {
    const weights = projections.map(({ weight }) => weight);
    return linears(x, weights).map((product, i) => {
      const { bias, adapt } = projections[i]!;
      const y: tf.Tensor2D = bias === undefined ? product : tf.add(product, bias);
      return adapt === undefined ? y : add(y, adapt(x, training));
    });
  });
}

function angleTensors(
  { positions, lengths }: DecoderInput,
  config: DecoderConfig,
): { cos: tf.Tensor2D; sin: tf.Tensor2D } {
  const { cos, sin, pairs } = rotaryAngles(positions, config, lengths);
  const shape: [number, number] = [positions.length, pairs];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}
