import * as tf from "@tensorflow/tfjs-core";
import { block, normalise, recomputedBlock, type BlockContext } from "./block.ts";
import type { DecoderConfig } from "./config.ts";
import { decoderTensors, familyOf } from "./families/index.ts";
import { partName } from "./families/layout.ts";
import { embeddings } from "./input-embeddings.ts";
import { normsOf, projectionsOf } from "./projections.ts";
import type { StoredWeight } from "../tensor/stored-weight.ts";
import type { AttentionHook, Layer, ModelWeight, Norm } from "./layer.ts";
import { layerAngles } from "./layer-angles.ts";

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

/** A frozen matrix of a model that stays in its file. */
export interface StoredParameter {
  /** Its name in a Hugging Face checkpoint. */
  readonly name: string;
  readonly weight: StoredWeight;
}

/** The weights of a decoder on the current engine. */
export interface Decoder {
  readonly config: DecoderConfig;
  readonly embedding: ModelWeight;
  /** `[maxPositions, width]`, of models that do not rotate. */
  readonly positionEmbedding?: tf.Variable<tf.Rank.R2>;
  readonly layers: readonly Layer[];
  readonly finalNorm: Norm;
  /** `[vocabulary, width]`; the embedding itself where the output is tied. */
  readonly outputEmbedding: ModelWeight;
  /** What an adapter adds to the embeddings `x [N, width]` of the tokens `ids`. */
  readonly adaptEmbedding?: (x: tf.Tensor2D, ids: Int32Array) => tf.Tensor2D;
  /** Hidden states `[N, width]` as `outputEmbedding` reads them where an adapter has made it wider. */
  readonly adaptOutput?: (hidden: tf.Tensor2D, training: boolean) => tf.Tensor2D;
  /** Every weight in the engine's memory once. */
  readonly parameters: readonly Parameter[];
  /** Every weight that stays in its file once. */
  readonly stored?: readonly StoredParameter[];
  /** Frees all weights. */
  dispose(): void;
}

/** Gives the values of one parameter, row-major, as many as `shape` says, or the matrix that stays in its file. */
export type WeightReader = (
  name: string,
  shape: readonly number[],
) => Float32Array | StoredWeight | Promise<Float32Array | StoredWeight>;

/**
 * Puts weights onto the current engine, but for those that stay in their files, where they are frozen. If reading fails,
 * what was loaded is freed again.
 */
export async function createDecoder(config: DecoderConfig, read: WeightReader): Promise<Decoder> {
  const parameters = new Map<string, Parameter>();
  const stored = new Map<string, StoredParameter>();
  const dispose = (): void => parameters.forEach(({ variable }) => variable.dispose());
  try {
    for (const [name, shape] of decoderTensors(config)) {
      const found = await read(name, shape);
      if (found instanceof Float32Array) parameters.set(name, parameterOf(name, variableOf(found, shape)));
      else stored.set(name, { name, weight: found });
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const named: Named = (name) => parameters.get(name)?.variable ?? stored.get(name)?.weight;
  const { layout } = familyOf(config);
  const embedding = named(`${layout.embedding}.weight`) as ModelWeight;
  const positions = named(`${layout.positions}.weight`) as tf.Variable<tf.Rank.R2> | undefined;
  return {
    config,
    embedding,
    ...(positions !== undefined && { positionEmbedding: positions }),
    layers: Array.from({ length: config.layers }, (_, layer) => layerOf(config, layer, named)),
    finalNorm: normOf(layout.finalNorm, named),
    outputEmbedding: (named(`${layout.head}.weight`) as ModelWeight | undefined) ?? embedding,
    parameters: [...parameters.values()],
    ...(stored.size > 0 && { stored: [...stored.values()] }),
    dispose,
  };
}

type Named = (name: string) => tf.Variable | StoredWeight | undefined;

/** A function of its own, so that nothing that lives on holds on to the values read. */
function variableOf(values: Float32Array, shape: readonly number[]): tf.Variable {
  return tf.tidy(() => tf.variable(tf.tensor(values, [...shape], "float32")));
}

/** A tensor to train, under its name. */
export function parameterOf(name: string, variable: tf.Variable, learningRateScale = 1): Parameter {
  return {
    name,
    variable,
    decay: variable.rank > 1,
    learningRateScale,
    get trainable() {
      return variable.trainable;
    },
  };
}

function layerOf(config: DecoderConfig, index: number, named: Named): Layer {
  const { layout } = familyOf(config);
  const projections = projectionsOf(config).map((part) => {
    const name = partName(layout, index, part);
    const weight = named(`${name}.weight`) as ModelWeight;
    const bias = named(`${name}.bias`) as tf.Variable<tf.Rank.R1> | undefined;
    return [part, bias === undefined ? { weight } : { weight, bias }] as const;
  });
  const norms = [...normsOf(config).keys()].map(
    (part) => [part, normOf(partName(layout, index, part), named)] as const,
  );
  return { projections: Object.fromEntries(projections), norms: Object.fromEntries(norms) };
}

function normOf(name: string, named: Named): Norm {
  const gain = named(`${name}.weight`) as tf.Variable<tf.Rank.R1>;
  const bias = named(`${name}.bias`) as tf.Variable<tf.Rank.R1> | undefined;
  return bias === undefined ? { gain } : { gain, bias };
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
  /** The hidden states are for another head than the model's own output projection. Default false. */
  headless?: boolean;
}

/**
 * Runs the decoder on packed tokens. Returns the normalised last hidden states of the tokens numbered by `rows`,
 * `[rows.length, width]`, ready for the output projection.
 */
export function decode(decoder: Decoder, input: DecoderInput, rows: Int32Array): tf.Tensor2D {
  const { config } = decoder;
  const { ids, positions, lengths, attend, training = false, recompute = false, headless = false } = input;
  const run = recompute && training ? recomputedBlock : block;
  return tf.tidy(() => {
    const anglesOf = layerAngles(config, positions, lengths);
    let x = embeddings(decoder, ids, positions);
    decoder.layers.forEach((layer, index) => {
      const before = x;
      const isLast = index === decoder.layers.length - 1;
      const angles = anglesOf(index);
      const context: BlockContext = {
        config,
        index,
        attend,
        training,
        ...(angles && { angles }),
        ...(isLast && { rows }),
      };
      x = run(layer, before, context);
      before.dispose();
    });
    const hidden = normalise(x, decoder.finalNorm, config);
    return decoder.adaptOutput === undefined || headless ? hidden : decoder.adaptOutput(hidden, training);
  });
}
