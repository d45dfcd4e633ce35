import * as tf from "@tensorflow/tfjs-core";
import { activate, embed, gatedUnit, layerNorm, linears, rmsNorm, rotary, splitColumns } from "../tensor/ops/index.ts";
import { recomputed } from "../tensor/recompute.ts";
import { isStored } from "../tensor/stored-weight.ts";
import { plus, sum } from "./arithmetic.ts";
import type { DecoderConfig } from "./config.ts";
import type { AttentionHook, Layer, Norm, Projection } from "./layer.ts";
import type { Angles } from "./layer-angles.ts";
import { projectionSize } from "./projections.ts";

/** What a block needs to know beside its weights and its input. */
export interface BlockContext {
  config: DecoderConfig;
  /** The block's number. */
  index: number;
  attend: AttentionHook;
  training: boolean;
  /** Absent: the block rotates nothing. */
  angles?: Angles;
  /** The tokens whose output is wanted. Without: all. */
  rows?: Int32Array;
}

/** One block on `x [N, width]`. Inner results are freed at once, but for those a tape holds on to. */
export function block(layer: Layer, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  return tf.tidy(() => {
    const attended = tf.tidy(() => {
      const found = selfAttention(layer, x, context);
      return sum(wanted(x, context), normalised(found, layer.norms.afterAttention, context));
    });
    const found = feedForward(layer, attended, context);
    return sum(attended, normalised(found, layer.norms.afterFeedForward, context));
  });
}

/** The same, with a backward pass that starts from the input again. */
export function recomputedBlock(layer: Layer, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  const startOfMasks = layer.markDropout?.();
  let again = false;
  return recomputed(x, {
    variables: variablesOf(layer),
    constants: [...(context.angles ?? [])],
    build(input, angles) {
      const inputs = angles.length === 0 ? context : { ...context, angles: angles as unknown as Angles };
      const endOfMasks = again ? layer.markDropout?.() : undefined;
      if (again) startOfMasks?.();
      again = true;
      const result = block(layer, input, inputs);
      endOfMasks?.();
      return result;
    },
  });
}

function variablesOf({ norms, projections }: Layer): tf.Variable[] {
  const ofNorms = Object.values(norms).flatMap(({ gain, bias }) => [gain, ...(bias ? [bias] : [])]);
  const ofProjections = Object.values(projections).flatMap(({ weight, bias, adaptedBy = [] }) => [
    ...(isStored(weight) ? [] : [weight]),
    ...(bias ? [bias] : []),
    ...adaptedBy,
  ]);
  return [...ofNorms, ...ofProjections];
}

function selfAttention(layer: Layer, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  const { config, index, attend } = context;
  const h = normalised(x, layer.norms.beforeAttention, context);
  const [q, k, v] = tf.tidy(() => {
    const [q, k, v] = queriesKeysValues(layer, h, context);
    return [
      rotated(q, layer.norms.query, config.heads, context),
      rotated(k, layer.norms.key, config.keyValueHeads, context),
      v,
    ];
  });
  return project(wanted(attend(index, q, k, v, h), context), layer.projections.o!, context);
}

type Three = [q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D];

function queriesKeysValues({ projections }: Layer, h: tf.Tensor2D, context: BlockContext): Three {
  const { q, k, v, qkv } = projections;
  if (qkv === undefined) return projectAll(h, [q!, k!, v!], context) as Three;
  const widths = (["q", "k", "v"] as const).map((name) => projectionSize(context.config, name)[0]);
  return splitColumns(project(h, qkv, context), widths) as Three;
}

/** Queries or keys with their norm, if they have one, rotated. */
function rotated(x: tf.Tensor2D, norm: Norm | undefined, heads: number, context: BlockContext): tf.Tensor2D {
  const { angles, config } = context;
  const normal = norm === undefined ? x : headsNormalised(x, norm, config);
  return angles === undefined ? normal : rotary(normal, ...angles, heads);
}

/** A norm over each head, or over all heads together: as wide as its gain. */
function headsNormalised(x: tf.Tensor2D, norm: Norm, config: DecoderConfig): tf.Tensor2D {
  const width = norm.gain.shape[0];
  if (width === x.shape[1]) return normalise(x, norm, config);
  const byHead = tf.reshape<tf.Rank.R2>(x, [x.size / width, width]);
  return tf.reshape(normalise(byHead, norm, config), x.shape);
}

/** Only the tokens whose output is wanted: they need the others' keys and values, and nothing else of them. */
function wanted(x: tf.Tensor2D, { rows }: BlockContext): tf.Tensor2D {
  const isAll = rows === undefined || (rows.length === x.shape[0] && rows.every((row, i) => row === i));
  return isAll ? x : embed(x, rows);
}

function feedForward(layer: Layer, x: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  return tf.tidy(() => {
    const h = normalised(x, layer.norms.beforeFeedForward, context);
    return project(innerValues(layer, h, context), layer.projections.down!, context);
  });
}

function innerValues({ projections }: Layer, h: tf.Tensor2D, context: BlockContext): tf.Tensor2D {
  const { gate, up, "gate-up": gateUp } = projections;
  const { activation = "silu", feedForwardWidth } = context.config;
  if (gate === undefined && gateUp === undefined) return activate(project(h, up!, context), activation);
  const [opened, values] = (
    gateUp === undefined
      ? projectAll(h, [gate!, up!], context)
      : splitColumns(project(h, gateUp, context), [feedForwardWidth, feedForwardWidth])
  ) as [tf.Tensor2D, tf.Tensor2D];
  return gatedUnit(opened, values, activation);
}

/** Normalised, where the layer has such a norm. */
function normalised(x: tf.Tensor2D, norm: Norm | undefined, { config }: BlockContext): tf.Tensor2D {
  return norm === undefined ? x : normalise(x, norm, config);
}

/** The model's normalization of each row of `x`. */
export function normalise(x: tf.Tensor2D, { gain, bias }: Norm, config: DecoderConfig): tf.Tensor2D {
  const factor = config.gainOffset === undefined ? gain : plus(gain, config.gainOffset);
  return bias === undefined ? rmsNorm(x, factor, config.epsilon) : layerNorm(x, factor, bias, config.epsilon);
}

function project(x: tf.Tensor2D, projection: Projection, context: BlockContext): tf.Tensor2D {
  return projectAll(x, [projection], context)[0]!;
}

function projectAll(x: tf.Tensor2D, projections: readonly Projection[], { training }: BlockContext): tf.Tensor2D[] {
  return tf.tidy(() => {
    const weights = projections.map(({ weight }) => weight);
    return linears(x, weights).map((product, i) => {
      const { bias, adapt } = projections[i]!;
      const y: tf.Tensor2D = bias === undefined ? product : tf.add(product, bias);
      return adapt === undefined ? y : sum(y, adapt(x, training, y));
    });
  });
}
