import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs-core";
import { normalValues, stream } from "../../system/random.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { parameterOf, type Decoder, type Parameter } from "../decoder.ts";
import { createDropout, type Dropout } from "./dropout.ts";
import { rowNorms } from "./dora.ts";
import { hubIdOf } from "./hub-base.ts";
import type { Place } from "./modules.ts";
import { loraSettings, targetsOf, type LoraOptions, type LoraSettings } from "./options.ts";
import { requireInMemory } from "./weights-in-memory.ts";
import { savedTensors, type SavedTensor, type Target } from "./targets.ts";

/** The two small matrices that change one weight: it acts as `weight + scaling * b a`. */
export interface LowRank {
  /** The name of the module that holds the weight. */
  readonly module: string;
  readonly place: Place;
  readonly scaling: number;
  /** `[rank, inputs]`; of an embedding the inputs are the vocabulary. */
  readonly a: tf.Variable<tf.Rank.R2>;
  /** `[outputs, rank]` */
  readonly b: tf.Variable<tf.Rank.R2>;
  /** `[outputs]`, with `dora`: the lengths of the changed weight's rows. */
  readonly magnitude?: tf.Variable<tf.Rank.R1>;
}

/** A weight that is trained as a whole, on a copy. */
export interface TrainedCopy extends SavedTensor {
  readonly variable: tf.Variable;
}

/** A set of low-rank changes to the projections of a decoder (LoRA, arXiv 2106.09685); the decoder is not part of it. */
export interface Adapter {
  readonly settings: LoraSettings;
  readonly changes: readonly LowRank[];
  /** What `modulesToSave` names. */
  readonly copies: readonly TrainedCopy[];
  /** Every A and B, magnitude and copy, under the names that PEFT saves them by. */
  readonly parameters: readonly Parameter[];
  /** Names settings and values as they were when made or loaded (training does not change it). */
  readonly fingerprint: string;
  /** The model below it, for whoever loads it elsewhere: a name on a hub, or what the adapter's file says. */
  readonly baseModel?: string;
  /** The fingerprint of the model that it was trained over, if its file says it. */
  readonly baseFingerprint?: string;
  /**
   * Says which optimizer step the next training passes belong to. With dropout it must be called before each step;
   * a run that is continued at step n then drops what an uninterrupted one does.
   */
  startStep(step: number): void;
  /** Frees what the adapter holds. */
  dispose(): void;
  /** @internal */
  readonly dropout: Dropout;
}

/** What an adapter's tensor is, for whoever gives its first values. */
export type AdapterTensor = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly part: "A" | "B" | "magnitude"; readonly target: Target }
  | { readonly part: "copy"; readonly copied: SavedTensor }
);

/** Gives the first values of a tensor, row-major. */
export type AdapterReader = (tensor: AdapterTensor) => Float32Array | Promise<Float32Array>;

/**
 * A fresh adapter for a model. It changes nothing yet: B is 0 and A uniform in ±1/sqrt(inputs), of an embedding A is 0
 * and B normal, as in PEFT; magnitudes are the lengths that the rows have, and whole modules are copied. Each matrix
 * draws from a stream of its own, named by the seed and its place. The model is only looked at.
 * @param options.baseModel what others shall load below it, a name on a hub. Default: the model's, where its folder lies
 *     in the hub's cache
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
 *
 * const dora = await createAdapter(model, { rank: 4, dora: true, targetModules: ["q_proj", "lm_head"] });
 * dora.parameters.length === (model.config.layers + 1) * 3; //=> true
 * releaseEngine();
 */
export async function createAdapter(
  model: Decoder & { readonly source?: string },
  { baseModel = hubIdOf(model.source), ...options }: LoraOptions & { baseModel?: string | undefined },
): Promise<Adapter> {
  const adapter = await adapterFrom(model, options, (tensor) => {
    if (tensor.part === "copy") return valuesOf(weightNamed(model, tensor.copied.name));
    return firstValues(model, options.seed ?? 0, tensor);
  });
  return { ...adapter, ...(baseModel !== undefined && { baseModel }) };
}

function firstValues(
  model: Decoder,
  seed: number,
  { part, target, shape }: Extract<AdapterTensor, { target: Target }>,
): Float32Array | Promise<Float32Array> {
  if (part === "magnitude") return lengthsOf(model, target);
  const isEmbedding = target.place.kind === "embedding";
  const size = sizeOf(shape);
  if (part === (isEmbedding ? "A" : "B")) return new Float32Array(size);
  const random = stream(seed, "adapter", target.module);
  if (isEmbedding) return normalValues(size, 1, random);
  return new Float32Array(size).map(() => (2 * random.next() - 1) / Math.sqrt(target.inputs));
}

/** The lengths of the rows that the adapter is to change, as it will compute them. */
async function lengthsOf(model: Decoder, { place, module, inputs, outputs }: Target): Promise<Float32Array> {
  const [a, b] = tf.tidy(() => [
    tf.variable(tf.zeros<tf.Rank.R2>([1, inputs]), false),
    tf.variable(tf.zeros<tf.Rank.R2>([outputs, 1]), false),
  ]) as [tf.Variable<tf.Rank.R2>, tf.Variable<tf.Rank.R2>];
  const weight = weightNamed(model, `${module}.weight`) as tf.Variable<tf.Rank.R2>;
  const lengths = rowNorms({ weight, isEmbedding: place.kind === "embedding", a, b, scaling: 0 });
  try {
    return await valuesOf(lengths.norms());
  } finally {
    lengths[Symbol.dispose]();
    tf.dispose([a, b]);
  }
}

function valuesOf(tensor: tf.Tensor): Promise<Float32Array> {
  return tensor.data<"float32">();
}

/** A weight of the model; that of its output projection also where it is tied. */
function weightNamed(model: Decoder, name: string): tf.Variable {
  return (
    model.parameters.find((parameter) => parameter.name === name)?.variable ?? (model.outputEmbedding as tf.Variable)
  );
}

/** An adapter with given values. If reading fails, what was loaded is freed again. */
export async function adapterFrom(model: Decoder, options: LoraOptions, read: AdapterReader): Promise<Adapter> {
  const settings = loraSettings(options, model.config);
  requireInMemory(model, settings);
  const hash = createHash("sha256").update(JSON.stringify(settings));
  const parameters: Parameter[] = [];
  const dispose = (): void => parameters.splice(0).forEach(({ variable }) => variable.dispose());
  const load = async (tensor: AdapterTensor): Promise<tf.Variable> => {
    const values = await read(tensor);
    hash.update(values);
    const variable = tf.tidy(() => tf.variable(tf.tensor(values, [...tensor.shape])));
    parameters.push(parameterOf(tensor.name, variable));
    return variable;
  };
  const changes: LowRank[] = [];
  const copies: TrainedCopy[] = [];
  try {
    for (const target of targetsOf(settings, model.config)) {
      const found = new Map<string, tf.Variable>();
      for (const tensor of tensorsOfTarget(target, settings.dora === true)) found.set(tensor.part, await load(tensor));
      const { module, place, scaling } = target;
      const magnitude = found.get("magnitude") as tf.Variable<tf.Rank.R1> | undefined;
      const [a, b] = [found.get("A"), found.get("B")] as [tf.Variable<tf.Rank.R2>, tf.Variable<tf.Rank.R2>];
      changes.push({ module, place, scaling, a, b, ...(magnitude && { magnitude }) });
    }
    for (const copied of savedTensors(model.config, settings.modulesToSave ?? []))
      copies.push({ ...copied, variable: await load(tensorOfCopy(copied)) });
  } catch (error) {
    dispose();
    throw error;
  }
  const dropout = createDropout(settings.dropout, settings.seed);
  const held = [...parameters];
  return {
    ...{ settings, changes, copies, dropout, parameters: held, fingerprint: hash.digest("hex") },
    startStep: (step) => dropout.startStep(step),
    dispose,
  };
}

/** In front of the names of a model's modules in PEFT's files. */
export const modulePrefix = "base_model.model.";

/** The tensors of a change, as PEFT names them. */
export function tensorsOfTarget(target: Target, dora: boolean): Extract<AdapterTensor, { target: Target }>[] {
  const { module, place, rank, inputs, outputs } = target;
  const ofMatrix = (matrix: "A" | "B"): string =>
    place.kind === "embedding" ? `lora_embedding_${matrix}` : `lora_${matrix}.weight`;
  const named = (name: string): string => `${modulePrefix}${module}.${name}`;
  return [
    { part: "A", target, name: named(ofMatrix("A")), shape: [rank, inputs] },
    { part: "B", target, name: named(ofMatrix("B")), shape: [outputs, rank] },
    ...(dora ? [{ part: "magnitude" as const, target, name: named("lora_magnitude_vector"), shape: [outputs] }] : []),
  ];
}

/** A weight that is trained as a whole, as PEFT names it. */
export function tensorOfCopy(copied: SavedTensor): Extract<AdapterTensor, { part: "copy" }> {
  return { part: "copy", copied, name: `${modulePrefix}${copied.name}`, shape: copied.shape };
}
