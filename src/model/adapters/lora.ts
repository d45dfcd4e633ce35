import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { stream } from "../../system/random.ts";
import { linear } from "../../tensor/ops/index.ts";
import { times } from "../arithmetic.ts";
import type { DecoderConfig } from "../config.ts";
import { parameterOf, type Decoder, type Parameter } from "../decoder.ts";
import type { Layer, Projection } from "../layer.ts";
import { moduleName } from "../families/index.ts";
import type { ProjectionName } from "../projections.ts";
import { createDropout, type Dropout } from "./dropout.ts";
import { loraSettings, scalingOf, type LoraOptions, type LoraSettings } from "./options.ts";

/** The two small matrices that change one projection: its weight acts as `weight + scaling * b a`. */
export interface LowRank {
  readonly layer: number;
  readonly projection: ProjectionName;
  /** `[rank, inputs]` */
  readonly a: tf.Variable<tf.Rank.R2>;
  /** `[outputs, rank]` */
  readonly b: tf.Variable<tf.Rank.R2>;
}

/** A set of low-rank changes to the projections of a decoder (LoRA, arXiv 2106.09685); the decoder is not part of it. */
export interface Adapter {
  readonly settings: LoraSettings;
  readonly changes: readonly LowRank[];
  /** Every A and B, under the names that PEFT saves them by; all decay. */
  readonly parameters: readonly Parameter[];
  /** Names settings and values as they were when made or loaded (training does not change it). */
  readonly fingerprint: string;
  /** The model that it was trained over, by the files it was loaded from: a path, or a name on a hub. */
  readonly baseModel?: string;
  /**
   * Says which optimizer step the next training passes belong to. With dropout it must be called before each step;
   * a run that is continued at step n then drops what an uninterrupted one does.
   */
  startStep(step: number): void;
  /** Frees A and B. */
  dispose(): void;
  /** @internal */
  readonly dropout: Dropout;
}

/** Gives the first values of a matrix, row-major. */
export type MatrixReader = (
  matrix: "A" | "B",
  shape: readonly [number, number],
  change: Pick<LowRank, "layer" | "projection">,
) => Float32Array | Promise<Float32Array>;

/**
 * A fresh adapter for a model: B is 0, so it changes nothing yet; A is uniform in ±1/sqrt(inputs), as in PEFT. Each
 * matrix draws from a stream of its own, named by the seed and its place. The model is only looked at.
 * @throws UserError for an option out of range
 * @see https://arxiv.org/abs/2106.09685
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const adapter = await createAdapter(model, { rank: 4, projections: ["q", "v"] });
 * adapter.settings.alpha; //=> 8
 * adapter.parameters.length === model.config.layers * 2 * 2; //=> true
 * releaseEngine();
 */
export function createAdapter(model: Decoder, options: LoraOptions): Promise<Adapter> {
  return adapterFrom(model, options, (matrix, [rows, columns], { layer, projection }) => {
    const values = new Float32Array(rows * columns);
    if (matrix === "B") return values;
    const random = stream(options.seed ?? 0, "adapter", moduleName(model.config, layer, projection));
    return values.map(() => (2 * random.next() - 1) / Math.sqrt(columns));
  });
}

/** An adapter with given values. If reading fails, what was loaded is freed again. */
export async function adapterFrom(model: Decoder, options: LoraOptions, read: MatrixReader): Promise<Adapter> {
  const settings = loraSettings(options, model.config);
  const hash = createHash("sha256").update(JSON.stringify(settings));
  const changes: LowRank[] = [];
  const held: tf.Variable[] = [];
  const dispose = (): void => held.splice(0).forEach((variable) => variable.dispose());
  try {
    for (const layer of settings.layers)
      for (const projection of settings.projections) {
        const [outputs, inputs] = model.layers[layer]!.projections[projection]!.weight.shape;
        const load = async (matrix: "A" | "B", shape: [number, number]): Promise<tf.Variable<tf.Rank.R2>> => {
          const values = await read(matrix, shape, { layer, projection });
          hash.update(values);
          const variable = tf.tidy(() => tf.variable<tf.Rank.R2>(tf.tensor2d(values, shape)));
          held.push(variable);
          return variable;
        };
        const a = await load("A", [settings.rank, inputs]);
        changes.push({ layer, projection, a, b: await load("B", [outputs, settings.rank]) });
      }
  } catch (error) {
    dispose();
    throw error;
  }
  const dropout = createDropout(settings.dropout, settings.seed);
  const parameters = changes.flatMap((change) => [
    parameterOf(matrixName(model.config, change, "A"), change.a),
    parameterOf(matrixName(model.config, change, "B"), change.b),
  ]);
  const fingerprint = hash.digest("hex");
  const startStep = (step: number): void => dropout.startStep(step);
  return { settings, changes, parameters, fingerprint, dropout, dispose, startStep };
}

/** The name that PEFT saves a matrix by. */
export function matrixName(
  config: Pick<DecoderConfig, "family">,
  { layer, projection }: Pick<LowRank, "layer" | "projection">,
  matrix: "A" | "B",
): string {
  return `base_model.model.${moduleName(config, layer, projection)}.lora_${matrix}.weight`;
}

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
 * `fingerprint`, where a model has one, names both.
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
  for (const { layer, projection, a, b } of adapter.changes)
    requireFit(model, layer, projection, [b.shape[0], a.shape[1]]);
  for (const { variable } of model.parameters) variable.trainable = false;
  const scaling = scalingOf(adapter.settings);
  const adapted = (layer: Layer, change: LowRank): Projection => ({
    ...layer.projections[change.projection]!,
    adaptedBy: [change.a, change.b],
    adapt: (x, training) => {
      const seen = training ? adapter.dropout.apply(x, change.layer, change.projection) : x;
      return linear(times(linear(seen, change.a), scaling), change.b);
    },
  });
  const layers = model.layers.map((layer, index): Layer => {
    const changed = adapter.changes.filter((change) => change.layer === index);
    const projections = Object.fromEntries(changed.map((change) => [change.projection, adapted(layer, change)]));
    return {
      ...layer,
      projections: { ...layer.projections, ...projections },
      markDropout: () => adapter.dropout.mark(index),
    };
  });
  const parameters = [...model.parameters, ...adapter.parameters];
  return {
    ...model,
    layers,
    parameters,
    ...fingerprintOf(model, adapter),
    adapter,
    trunk: model,
    dispose: () => adapter.dispose(),
  };
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

/** Whether the model's layers are changed by an adapter. */
export function hasAdapter({ layers }: Decoder): boolean {
  return layers.some(({ projections }) => Object.values(projections).some(({ adapt }) => adapt !== undefined));
}

function requireFit(model: Decoder, layer: number, projection: ProjectionName, shape: [number, number]): void {
  const own = model.layers[layer]?.projections[projection];
  if (own?.weight.shape.join() === shape.join()) return;
  const has = own === undefined ? "does not exist" : `is [${own.weight.shape.join(", ")}]`;
  throw new UserError(
    "model-mismatch",
    `the adapter changes a weight [${shape.join(", ")}], which ${has} in this model`,
    {
      where: moduleName(model.config, layer, projection),
      fix: "Use the adapter with the model that it was trained on.",
    },
  );
}

/** How many of the numbers of a model are trained. */
export function trainableShare({ parameters }: Pick<Decoder, "parameters">): {
  trainable: number;
  total: number;
  share: number;
} {
  let [trainable, total] = [0, 0];
  for (const parameter of parameters) {
    total += parameter.variable.size;
    if (parameter.trainable) trainable += parameter.variable.size;
  }
  return { trainable, total, share: total > 0 ? trainable / total : 0 };
}
