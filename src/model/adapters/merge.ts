import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { stream } from "../../system/random.ts";
import { causalAttention } from "../../tensor/ops/index.ts";
import { attentionOf } from "../attention.ts";
import { decode, type Decoder } from "../decoder.ts";
import type { AttentionHook } from "../layer.ts";
import { outputLogits } from "../output.ts";
import type { Adapted, LowRank } from "./lora.ts";
import { scalingOf } from "./options.ts";

/** What the check of a merge found. */
export interface MergeCheck {
  /** Between the logits before and after, over every token of the text. */
  largestDifference: number;
  /** Largest absolute value of a logit before. */
  largestLogit: number;
}

/**
 * Adds the adapter to the weights of the model below it (`model.trunk`), for good, and frees it: `model` and every
 * other model over that trunk change with it, so `model` is not to be used any more. Logits of a text are compared
 * before and after; where they differ, the weights are put back as they were, bit for bit, and the adapter stays.
 * @param text token ids to compare on (default: 32 random ones)
 * @param tolerance largest difference allowed, in shares of the largest logit (default 1e-4)
 * @throws UserError where the logits differ
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadModel, mergeAdapter, saveModel, withAdapter } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const trunk = await loadModel("models/tiny");
 * const model = withAdapter(trunk, await createAdapter(trunk, { rank: 4 }));
 * const { largestDifference } = await mergeAdapter(model); // of the logits before and after
 * largestDifference < 1e-3; //=> true
 * await saveModel(trunk, "merged-model", { card: "models/tiny with its adapter merged." });
 * releaseEngine();
 */
export async function mergeAdapter(
  model: Decoder & Adapted,
  { text, tolerance = 1e-4 }: { text?: readonly number[]; tolerance?: number } = {},
): Promise<MergeCheck> {
  const { trunk, adapter } = model;
  const ids = Int32Array.from(text ?? randomText(model));
  const before = await logitsOf(model, ids);
  const scaling = scalingOf(adapter.settings);
  const undo = adapter.changes.map((change) => addTo(trunk, change, scaling));
  let kept = false;
  try {
    const check = compare(before, await logitsOf(trunk, ids));
    kept = check.largestDifference <= tolerance * check.largestLogit; // false for NaN
    if (kept) return check;
    throw new UserError(
      "unmergeable-adapter",
      `after merging, logits differ by ${check.largestDifference} (the largest is ${check.largestLogit})`,
      { fix: "The weights are as before. Keep the adapter apart, or allow a larger tolerance." },
    );
  } finally {
    for (const { restore, forget } of undo) {
      if (!kept) restore();
      forget();
    }
    if (kept) adapter.dispose();
  }
}

function addTo(trunk: Decoder, { layer, projection, a, b }: LowRank, scaling: number) {
  const { weight } = trunk.layers[layer]!.projections[projection]!;
  const before = tf.keep(tf.clone(weight)); // shares the numbers, which an assignment does not write over
  tf.tidy(() => weight.assign(tf.add(weight, tf.mul(tf.matMul(b, a), scaling))));
  return { restore: () => weight.assign(before), forget: () => before.dispose() };
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

function compare(before: Float32Array, after: Float32Array): MergeCheck {
  let [largestDifference, largestLogit] = [0, 0];
  before.forEach((value, i) => {
    largestDifference = Math.max(largestDifference, Math.abs(value - after[i]!)); // NaN stays NaN
    largestLogit = Math.max(largestLogit, Math.abs(value));
  });
  return { largestDifference, largestLogit };
}
