import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { stream } from "../../system/random.ts";
import { causalAttention } from "../../tensor/ops/index.ts";
import { attentionOf } from "../attention.ts";
import type { DecoderConfig } from "../config.ts";
import { decode, parameterOf, type Decoder } from "../decoder.ts";
import type { AttentionHook } from "../layer.ts";
import { outputLogits } from "../output.ts";
import type { Origin } from "../weights/origin.ts";
import { rowNorms } from "./dora.ts";
import type { Adapter, LowRank } from "./lora.ts";
import { embeddingModule, headModule } from "./modules.ts";
import type { Adapted } from "./with-adapter.ts";

/** What the check of a merge found. */
export interface MergeCheck<D extends Decoder = Decoder> {
  /** Between the logits before and after, over every token of the text. */
  largestDifference: number;
  /** Largest absolute value of a logit before. */
  largestLogit: number;
  /**
   * The model with the adapter in its weights: the one below the adapter, or where the adapter changes an embedding that
   * is also the output projection, or that projection, one on the same weights whose two are apart.
   */
  model: D;
}

/**
 * Adds the adapter to the weights of the model below it (`model.trunk`), for good, and frees it: `model` and every
 * other model over that trunk change with it, so `model` is not to be used any more. Logits of a text are compared
 * before and after; where they differ, the weights are put back as they were, bit for bit, and the adapter stays.
 * @param text token ids to compare on (default: 32 random ones)
 * @param tolerance largest difference allowed, in shares of the largest logit. Default 1e-4, or a hundredth of what the
 *   adapter changes where that is more: rounding grows with it, and through many layers
 * @throws UserError where the logits differ
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadModel, mergeAdapter, saveModel, withAdapter } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const trunk = await loadModel("models/tiny");
 * const model = withAdapter(trunk, await createAdapter(trunk, { rank: 4 }));
 * const { largestDifference, model: merged } = await mergeAdapter(model); // of the logits before and after
 * largestDifference < 1e-3; //=> true
 * await saveModel(merged, "merged-model", { card: "models/tiny with its adapter merged." });
 * releaseEngine();
 */
export async function mergeAdapter<D extends Decoder>(
  model: Decoder & Adapted<D>,
  options: { text?: readonly number[]; tolerance?: number } = {},
): Promise<MergeCheck<D>> {
  const { undo, ...check } = await mergeFor(model, options);
  for (const { forget } of undo) forget();
  model.dispose();
  return check;
}

/**
 * Does something with the model into which the adapter is merged, as by `mergeAdapter`; the weights are then put back as
 * they were, bit for bit, and the adapter stays.
 * @throws UserError where the logits differ
 */
export async function whileMerged<D extends Decoder>(
  model: Decoder & Adapted<D>,
  use: (merged: D) => Promise<void>,
): Promise<void> {
  const { undo, model: merged } = await mergeFor(model, {});
  try {
    await use(merged);
  } finally {
    takeBack(undo);
  }
}

async function mergeFor<D extends Decoder>(
  model: Decoder & Adapted<D>,
  { text, tolerance }: { text?: readonly number[]; tolerance?: number },
): Promise<MergeCheck<D> & { undo: readonly Undo[] }> {
  const { trunk, adapter } = model;
  if (trunk.stored !== undefined)
    throw new UserError("adapted-model", "the weights below this adapter are frozen in their files", {
      fix: "Load the model with its weights as float32 to merge into it, or write the merged model from its files (tokensift merge).",
    });
  const ids = Int32Array.from(text ?? randomText(model));
  const before = await logitsOf(model, ids);
  const { largestDifference: effect, largestLogit } = compare(before, await logitsOf(trunk, ids));
  const allowed = tolerance === undefined ? Math.max(1e-4 * largestLogit, effect / 100) : tolerance * largestLogit;
  const { merged, undo } = addTo(trunk, adapter);
  let kept = false;
  try {
    const check = compare(before, await logitsOf(merged, ids));
    kept = check.largestDifference <= allowed; // false for NaN
    if (kept) return { ...check, model: merged, undo };
    throw new UserError(
      "unmergeable-adapter",
      `after merging, logits differ by ${check.largestDifference}, and at most ${allowed} would be rounding`,
      { fix: "The weights are as before. Keep the adapter apart, or allow a larger tolerance." },
    );
  } finally {
    if (!kept) takeBack(undo);
  }
}

interface Undo {
  restore(): void;
  forget(): void;
}

function takeBack(undo: readonly Undo[]): void {
  for (const { restore, forget } of undo) {
    restore();
    forget();
  }
}

function addTo<D extends Decoder>(trunk: D, { changes, copies }: Adapter): { merged: D; undo: Undo[] } {
  const names = [...changes.map(({ module }) => `${module}.weight`), ...copies.map(({ name }) => name)];
  const onEmbeddings = names.some((name) =>
    [embeddingModule(trunk.config), headModule(trunk.config)].some((module) => name === `${module}.weight`),
  );
  const isTied = trunk.outputEmbedding === trunk.embedding;
  const { merged, head } = isTied && onEmbeddings ? untied(trunk) : { merged: trunk, head: undefined };
  const weights = new Map<string, tf.Variable>(merged.parameters.map(({ name, variable }) => [name, variable]));
  const undo: Undo[] = [];
  const assign = (name: string, values: (weight: tf.Variable) => tf.Tensor): void => {
    const weight = weights.get(name)!;
    const before = tf.keep(tf.clone(weight)); // shares the numbers, which an assignment does not write over
    tf.tidy(() => weight.assign(values(weight)));
    undo.push({ restore: () => weight.assign(before), forget: () => before.dispose() });
  };
  for (const change of changes)
    assign(`${change.module}.weight`, (weight) => changed(weight as tf.Variable<tf.Rank.R2>, change));
  for (const { name, variable } of copies) assign(name, () => tf.clone(variable));
  if (head !== undefined) undo.unshift({ restore: () => head.dispose(), forget: () => undefined });
  return { merged, undo: undo.toReversed() };
}

/** The same model with a copy of the embedding as its output projection. */
function untied<D extends Decoder>(trunk: D): { merged: D; head: tf.Variable<tf.Rank.R2> } {
  const head = tf.tidy(() => tf.variable<tf.Rank.R2>(tf.mul(trunk.embedding as tf.Variable<tf.Rank.R2>, 1), false));
  const dispose = (): void => {
    head.dispose();
    trunk.dispose();
  };
  const { origin } = trunk as { origin?: Origin };
  const merged = {
    ...trunk,
    ...(origin && { origin: withTypeOfHead(origin, trunk.config) }),
    config: { ...trunk.config, tiedOutput: false },
    outputEmbedding: head,
    parameters: [...trunk.parameters, parameterOf(`${headModule(trunk.config)}.weight`, head)],
    dispose,
  };
  return { merged, head };
}

/** Where output projection and embedding part, the one comes in the numbers of the other. */
export function withTypeOfHead<O extends Origin | undefined>(origin: O, config: DecoderConfig): O {
  const type = origin?.types.get(`${embeddingModule(config)}.weight`);
  if (type === undefined) return origin;
  return { ...origin, types: new Map([...origin!.types, [`${headModule(config)}.weight`, type]]) };
}

/** The weight with an adapter's change in it. */
export function changed(weight: tf.Tensor2D, { a, b, scaling, magnitude, place }: LowRank): tf.Tensor2D {
  const isEmbedding = place.kind === "embedding";
  const product = tf.mul(isEmbedding ? tf.matMul(a, b, true, true) : tf.matMul(b, a), scaling);
  const sum = tf.add<tf.Tensor2D>(weight, product);
  if (magnitude === undefined) return sum;
  using lengths = rowNorms({ weight: weight as tf.Variable<tf.Rank.R2>, isEmbedding, a, b, scaling });
  const factors = tf.div(magnitude, lengths.norms());
  return tf.mul(sum, isEmbedding ? factors : tf.reshape(factors, [-1, 1]));
}

function randomText({ config }: Decoder): number[] {
  const random = stream("merge check");
  const length = Math.min(32, config.maxPositions);
  return Array.from({ length }, () => random.below(config.vocabularySize));
}

/** Of every token, `[ids.length * vocabulary]`. */
async function logitsOf(model: Decoder, ids: Int32Array): Promise<Float32Array> {
  const starts = Int32Array.of(0, ids.length);
  const positions = Int32Array.from(ids.keys());
  const logits = tf.tidy(() => {
    const attend: AttentionHook = (layer, q, k, v) =>
      causalAttention(q, k, v, { ...attentionOf(model.config, layer), starts }).output;
    return outputLogits(model, decode(model, { ids, positions, attend }, positions));
  });
  const values = await logits.data<"float32">();
  logits.dispose();
  return values;
}

function compare(before: Float32Array, after: Float32Array): Pick<MergeCheck, "largestDifference" | "largestLogit"> {
  let [largestDifference, largestLogit] = [0, 0];
  before.forEach((value, i) => {
    largestDifference = Math.max(largestDifference, Math.abs(value - after[i]!)); // NaN stays NaN
    largestLogit = Math.max(largestLogit, Math.abs(value));
  });
  return { largestDifference, largestLogit };
}
