import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { embedColumns, linear } from "../../tensor/ops/index.ts";
import { differentiable } from "../../tensor/ops/fused.ts";
import { times } from "../arithmetic.ts";
import type { Decoder } from "../decoder.ts";
import type { Layer, ModelWeight, Projection } from "../layer.ts";
import type { ProjectionName } from "../projections.ts";
import { directed, rowNorms, type RowNorms } from "./dora.ts";
import { adaptHead, type AdaptedHead } from "./head.ts";
import type { Adapter, LowRank } from "./lora.ts";
import { embeddingModule, headModule, weightModules } from "./modules.ts";
import { requireInMemory } from "./weights-in-memory.ts";

/** What a model gains with an adapter. */
export interface Adapted<D extends Decoder = Decoder> {
  readonly adapter: Adapter;
  /** The model below it, on the same weights. */
  readonly trunk: D;
}

/**
 * The model as the adapter changes it, on the same weights: nothing is copied. The model itself stays as it is and can
 * serve as the reference; several adapters make several models over one trunk, which may run in turn. Which adapter is
 * active is which of these models is run:
 *
 *     const reference = await loadModel("models/tiny");
 *     const policy = withAdapter(reference, await createAdapter(reference, { rank: 8 }));
 *
 * The trunk is frozen from here on: none of its gradients is computed, and an optimizer over the new model's
 * `parameters` (the trunk's, then the adapter's) leaves it alone. The new model's `dispose` frees the adapter only; its
 * `fingerprint`, where a model has one, names both. Where the output projection is changed, a copy of it is held that
 * is made anew after each step.
 * @throws UserError if the adapter was made for a model of another shape
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadModel, withAdapter } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const reference = await loadModel("models/tiny");
 * const policy = withAdapter(reference, await createAdapter(reference, { rank: 8 }));
 * policy.trunk === reference; //=> true
 * policy.parameters.length - reference.parameters.length === policy.adapter.parameters.length; //=> true
 * releaseEngine();
 */
export function withAdapter<D extends Decoder>(model: D, adapter: Adapter): D & Adapted<D> {
  if (hasAdapter(model))
    throw new UserError("adapted-model", "the model has an adapter already", { fix: "Give the model below it." });
  requireFit(model, adapter);
  requireInMemory(model, adapter.settings);
  for (const { variable } of model.parameters) variable.trainable = false;
  const held: Disposable[] = [];
  const { others, embedding, outputEmbedding } = withCopies(model, adapter);
  const layers = others.layers.map((layer, index) => adaptedLayer(layer, index, adapter, held));
  const onEmbedding = adapter.changes.find(({ place }) => place.kind === "embedding");
  const onHead = adapter.changes.find(({ place }) => place.kind === "head");
  const head = onHead && adaptHead(outputEmbedding as tf.Variable<tf.Rank.R2>, onHead);
  if (head !== undefined) held.push(head);
  const dispose = (): void => {
    held.splice(0).forEach((each) => each[Symbol.dispose]());
    adapter.dispose();
  };
  return {
    ...model,
    ...others,
    ...{ layers, embedding, outputEmbedding },
    ...(onEmbedding && { adaptEmbedding: embeddingAdapted(embedding as tf.Variable<tf.Rank.R2>, onEmbedding, held) }),
    ...(head && { outputEmbedding: head.outputEmbedding, adaptOutput: outputAdapted(head, adapter, layers.length) }),
    parameters: [...model.parameters, ...adapter.parameters],
    ...fingerprintOf(model, adapter),
    ...{ adapter, trunk: model, dispose },
  };
}

/** The model's weights with the copies that the adapter trains in their place. */
function withCopies(model: Decoder, { copies }: Adapter) {
  const copyOf = new Map<tf.Variable, tf.Variable>();
  for (const { name, variable } of copies) {
    const own = model.parameters.find((parameter) => parameter.name === name)?.variable;
    if (own !== undefined) copyOf.set(own, variable);
  }
  const named = (module: string, otherwise: ModelWeight): ModelWeight => {
    const copy = copies.find(({ name }) => name === `${module}.weight`);
    return (copy?.variable as tf.Variable<tf.Rank.R2> | undefined) ?? otherwise;
  };
  const { layers, finalNorm, positionEmbedding } = model;
  return {
    others: replaced({ layers, finalNorm, ...(positionEmbedding && { positionEmbedding }) }, copyOf),
    // each by its name: where the output is tied, they are one variable in the model, and two of the adapter's
    embedding: named(embeddingModule(model.config), model.embedding),
    outputEmbedding: named(headModule(model.config), model.outputEmbedding),
  };
}

/** The value with other variables in it. */
function replaced<T>(value: T, by: ReadonlyMap<tf.Variable, tf.Variable>): T {
  if (by.size === 0) return value;
  if (value instanceof tf.Variable) return (by.get(value) ?? value) as T;
  if (Array.isArray(value)) return value.map((each: unknown) => replaced(each, by)) as T;
  if (!isRecord(value) || value instanceof tf.Tensor) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each, by)])) as T;
}

function adaptedLayer(layer: Layer, index: number, adapter: Adapter, held: Disposable[]): Layer {
  const projections: Partial<Record<ProjectionName, Projection>> = {};
  for (const change of adapter.changes) {
    const { place } = change;
    if (place.kind !== "projection" || place.layer !== index) continue;
    const { projection } = place;
    const drop = (x: tf.Tensor2D): tf.Tensor2D => adapter.dropout.apply(x, index, projection);
    projections[projection] = adaptedProjection(layer.projections[projection]!, change, { adapter, drop, held });
  }
  return {
    ...layer,
    projections: { ...layer.projections, ...projections },
    markDropout: () => adapter.dropout.mark(index),
  };
}

interface Adapting {
  adapter: Adapter;
  drop: (x: tf.Tensor2D) => tf.Tensor2D;
  held: Disposable[];
}

function adaptedProjection(own: Projection, change: LowRank, { adapter, drop, held }: Adapting): Projection {
  const { a, b, scaling, magnitude } = change;
  const low = (x: tf.Tensor2D): tf.Tensor2D => linear(times(linear(x, a), scaling), b);
  if (magnitude === undefined)
    return { ...own, adaptedBy: [a, b], adapt: (x, training) => low(training ? drop(x) : x) };
  const weight = own.weight as tf.Variable<tf.Rank.R2>; // see weights-in-memory.ts
  const norms = rowNorms({ weight, isEmbedding: false, a, b, scaling });
  held.push(norms);
  const drops = adapter.settings.dropout > 0;
  return {
    ...own,
    adaptedBy: [a, b, magnitude],
    adapt(x, training, y) {
      if (!training || !drops) return directed(without(y, own.bias), low(x), magnitude, norms);
      const seen = drop(x);
      return directed(linear(seen, weight), low(seen), magnitude, norms);
    },
  };
}

function without(y: tf.Tensor2D, bias: tf.Tensor1D | undefined): tf.Tensor2D {
  if (bias === undefined) return y;
  return differentiable<tf.Tensor2D>({ inputs: [y], forward: () => tf.sub(y, bias), gradient: (dy) => [dy] });
}

/** Embeddings with a change; PEFT has no dropout there. */
function embeddingAdapted(
  weight: tf.Variable<tf.Rank.R2>,
  { a, b, scaling, magnitude }: LowRank,
  held: Disposable[],
): NonNullable<Decoder["adaptEmbedding"]> {
  const norms: RowNorms | undefined = magnitude && rowNorms({ weight, isEmbedding: true, a, b, scaling });
  if (norms !== undefined) held.push(norms);
  return (x, ids) => {
    const low = linear(times(embedColumns(a, ids), scaling), b);
    return magnitude === undefined || norms === undefined ? low : directed(x, low, magnitude, norms);
  };
}

/** Hidden states as the changed output projection reads them. */
function outputAdapted(
  head: AdaptedHead,
  { dropout, settings }: Adapter,
  layers: number,
): NonNullable<Decoder["adaptOutput"]> {
  const drop = (x: tf.Tensor2D): tf.Tensor2D => dropout.apply(x, layers, "head");
  return (hidden, training) => head.present(hidden, training && settings.dropout > 0 ? drop : undefined);
}

/** Two models over one trunk must not be taken for each other, for example by a cache of what they computed. */
function fingerprintOf(
  { fingerprint }: Decoder & { fingerprint?: string },
  adapter: Adapter,
): { fingerprint?: string } {
  if (fingerprint === undefined) return {};
  return { fingerprint: createHash("sha256").update(`${fingerprint} ${adapter.fingerprint}`).digest("hex") };
}

/** Whether `withAdapter` made the model. */
export function isAdapted<D extends Decoder>(model: D): model is D & Adapted<D> {
  return "adapter" in model;
}

/** Whether the model is changed by an adapter. */
export function hasAdapter(model: Decoder): boolean {
  return (
    isAdapted(model) || model.layers.some(({ projections }) => Object.values(projections).some(({ adapt }) => adapt))
  );
}

/** @throws UserError if the adapter was made for another model, or cannot be trained as its settings say */
function requireFit(model: Decoder, { changes, copies, settings }: Adapter): void {
  const shapes = new Map(weightModules(model.config).flatMap(({ tensors }) => [...tensors]));
  const requireShape = (name: string, shape: readonly number[]): void => {
    const own = shapes.get(name);
    if (own?.join() === shape.join()) return;
    const has = own === undefined ? "does not exist" : `is [${own.join(", ")}]`;
    throw new UserError(
      "model-mismatch",
      `the adapter changes a weight [${shape.join(", ")}], which ${has} in this model`,
      { where: name, fix: "Use the adapter with the model that it was trained on." },
    );
  };
  for (const { module, place, a, b } of changes) {
    const [outputs, inputs] = [b.shape[0], a.shape[1]];
    requireShape(`${module}.weight`, place.kind === "embedding" ? [inputs, outputs] : [outputs, inputs]);
  }
  for (const { name, shape } of copies) requireShape(name, shape);
  const onHead = changes.some(({ place, magnitude }) => place.kind === "head" && magnitude !== undefined);
  if (onHead && settings.dropout > 0)
    throw new UserError("unsupported-adapter", "dora on the output projection together with dropout is not supported", {
      where: headModule(model.config),
      fix: "Set dropout to 0, or leave lm_head out.",
    });
}

/** How much of a model is trained. */
export interface TrainableShare {
  trainable: number;
  total: number;
  share: number;
}

/** How many of the numbers of a model are trained. */
export function trainableShare({ parameters, stored = [] }: Pick<Decoder, "parameters" | "stored">): TrainableShare {
  let trainable = 0;
  let total = stored.reduce((sum, { weight: { shape } }) => sum + shape[0] * shape[1], 0);
  for (const parameter of parameters) {
    total += parameter.variable.size;
    if (parameter.trainable) trainable += parameter.variable.size;
  }
  return { trainable, total, share: total > 0 ? trainable / total : 0 };
}
