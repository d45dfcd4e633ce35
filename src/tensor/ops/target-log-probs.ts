import * as tf from "@tensorflow/tfjs-core";
import { isStored, type StoredWeight, type Weight } from "../stored-weight.ts";
import { requireIndices, requireShape, requireSoftCap } from "./checks.ts";
import { runFused } from "./fused.ts";
import { headGradient, logitsOf, rowChunks, type OutputHead } from "./logits.ts";

const TOP = 20;

/** Facts about the prediction of each row's target, each `[R]`, in nats but for `concentration`. */
export interface TargetLogProbs {
  logProb: tf.Tensor1D;
  /** Entropy of the whole predicted distribution. */
  entropy?: tf.Tensor1D;
  /** Entropy of the distribution renormalised over its 20 most likely tokens. */
  entropyTop20?: tf.Tensor1D;
  /** Sum of the squared probabilities of the whole distribution, in [1 / V, 1]. */
  concentration?: tf.Tensor1D;
  /** Logits `[K, V]` of the first rows, where an engine has kept some for the gradient. */
  logits?: tf.Tensor2D;
}

export interface TargetLogProbsOptions {
  entropy?: boolean;
  entropyTop20?: boolean;
  concentration?: boolean;
  /** A gradient will follow: logits of the first rows, up to 64 MiB of them, may be kept for it. Default false. */
  keepLogits?: boolean;
  /** Logits become `softCap * tanh(logit / softCap)`, and everything is of what they became. Default: they stay. */
  softCap?: number | undefined;
}

/**
 * Log-probability of each row's target under `softmax(hidden outputEmbedding^T)`: `hidden [R, D]`,
 * `outputEmbedding [V, D]`, `targets [R]`. Works through a few rows at a time, so the `[R, V]` logits never exist as a
 * whole (unless they are small).
 * Not to be recorded on a tape: its gradient is `targetLogProbsGradient`.
 * @throws RangeError for no rows, a target outside `[0, V)`, or shapes that do not fit
 */
export function targetLogProbs(
  hidden: tf.Tensor2D,
  outputEmbedding: Weight,
  targets: Int32Array,
  options: TargetLogProbsOptions = {},
): TargetLogProbs {
  const { entropy = false, entropyTop20 = false, concentration = false, keepLogits = false, softCap } = options;
  checkArguments({ hidden, outputEmbedding, softCap }, targets);
  const asked = { entropy, entropyTop20, concentration };
  const outputs =
    runFused(
      "TokensiftTargetLogProbs",
      { hidden, ...inMemory(outputEmbedding) },
      { ...inFile(outputEmbedding), targets, ...asked, keepLogits, softCap },
    ) ??
    tf.tidy(() => {
      const parts = rowChunks(hidden.shape[0], outputEmbedding.shape[0]).map(([from, to]) =>
        tf.tidy(() =>
          factsOfRows(logitsOf({ hidden, outputEmbedding, softCap }, from, to), targets.subarray(from, to), asked),
        ),
      );
      return parts[0]!.map((_, fact) => tf.concat(parts.map((part) => part[fact]!)));
    });
  const rest = outputs.slice(1) as tf.Tensor1D[];
  const facts = {
    logProb: outputs[0] as tf.Tensor1D,
    ...(entropy ? { entropy: rest.shift()! } : {}),
    ...(entropyTop20 ? { entropyTop20: rest.shift()! } : {}),
    ...(concentration ? { concentration: rest.shift()! } : {}),
  };
  const logits: tf.Tensor | undefined = rest.shift();
  return logits === undefined ? facts : { ...facts, logits: logits as tf.Tensor2D };
}

/**
 * Gradients of `sum(dLogProb * logProb)`: `dHidden [R, D]` and, where asked for, `dOutputEmbedding [V, D]`.
 * Rows with `dLogProb = 0` get 0 and cost nothing.
 * @param options.logits those that `targetLogProbs` kept of the same rows; their values are used up
 * @param options.softCap as in `targetLogProbs`
 */
export function targetLogProbsGradient(
  hidden: tf.Tensor2D,
  outputEmbedding: Weight,
  targets: Int32Array,
  dLogProb: Float32Array,
  options: { needEmbedding: boolean; logits?: tf.Tensor2D | undefined; softCap?: number | undefined },
): { dHidden: tf.Tensor2D; dOutputEmbedding?: tf.Tensor2D } {
  const { needEmbedding, logits, softCap } = options;
  const head = { hidden, outputEmbedding, softCap };
  checkArguments(head, targets);
  if (dLogProb.length !== targets.length) throw new RangeError("dLogProb must have one entry per target");
  if (needEmbedding && isStored(outputEmbedding))
    throw new RangeError("an outputEmbedding that stays in its file has no gradient");
  const attributes = { targets, dLogProb, needEmbedding, softCap };
  const [dHidden, dOutputEmbedding] =
    runFused(
      "TokensiftTargetLogProbsGrad",
      { hidden, ...inMemory(outputEmbedding), ...(logits !== undefined && { logits }) },
      { ...inFile(outputEmbedding), ...attributes },
    ) ?? tf.tidy(() => plainGradient(head, attributes));
  return dOutputEmbedding === undefined ? { dHidden } : { dHidden, dOutputEmbedding };
}

function inMemory(outputEmbedding: Weight): { outputEmbedding?: tf.Tensor2D } {
  return isStored(outputEmbedding) ? {} : { outputEmbedding };
}

function inFile(outputEmbedding: Weight): { stored?: StoredWeight } {
  return isStored(outputEmbedding) ? { stored: outputEmbedding } : {};
}

function plainGradient(
  head: OutputHead,
  { targets, dLogProb, needEmbedding }: { targets: Int32Array; dLogProb: Float32Array; needEmbedding: boolean },
): [dHidden: tf.Tensor2D, dOutputEmbedding?: tf.Tensor2D] {
  const live = Int32Array.from(targets.keys()).filter((row) => dLogProb[row] !== 0);
  return headGradient(head, live, needEmbedding, (logits, own) => logitGradient(logits, own, targets, dLogProb));
}

/** `dLogProb * (onehot(target) - softmax(logits))` for the rows named by `own`. */
function logitGradient(logits: tf.Tensor2D, own: Int32Array, targets: Int32Array, dLogProb: Float32Array): tf.Tensor2D {
  const ownTargets = own.map((row) => targets[row]!);
  const scale = Float32Array.from(own, (row) => dLogProb[row]!);
  const fused = runFused("TokensiftLogitLogProbsGrad", { logits }, { targets: ownTargets, dLogProb: scale });
  if (fused !== undefined) return fused[0];
  const hot = tf.oneHot(tf.tensor1d(ownTargets, "int32"), logits.shape[1]);
  return tf.mul(tf.sub(hot, tf.softmax(logits)), tf.tensor2d(scale, [own.length, 1]));
}

function factsOfRows(
  logits: tf.Tensor2D,
  targets: Int32Array,
  asked: Readonly<Record<"entropy" | "entropyTop20" | "concentration", boolean>>,
): tf.Tensor1D[] {
  const facts = [runFused("TokensiftLogitLogProbs", { logits }, { targets })?.[0] ?? plainLogProbs(logits, targets)];
  if (asked.entropy) facts.push(entropyOf(shifted(logits)));
  if (asked.entropyTop20) facts.push(entropyOf(shifted(tf.topk(logits, Math.min(TOP, logits.shape[1])).values)));
  if (asked.concentration) facts.push(concentrationOf(shifted(logits)));
  return facts;
}

function plainLogProbs(logits: tf.Tensor2D, targets: Int32Array): tf.Tensor1D {
  const [rows, vocabulary] = logits.shape;
  const below = shifted(logits);
  const flat = tf.tensor1d(
    targets.map((target, row) => row * vocabulary + target),
    "int32",
  );
  return tf.sub(tf.gather(tf.reshape(below, [rows * vocabulary]), flat), tf.log(tf.sum(tf.exp(below), 1)));
}

/** The logits less the largest of each row. */
function shifted(logits: tf.Tensor2D): tf.Tensor2D {
  return tf.sub(logits, tf.max(logits, 1, true));
}

/** Entropy of `softmax(z)`, the largest entry of each row of z being 0: `log sum e^z - sum z e^z / sum e^z`. */
function entropyOf(z: tf.Tensor2D): tf.Tensor1D {
  const weights = tf.exp(z);
  const sum = tf.sum(weights, 1);
  return tf.sub(tf.log(sum), tf.div(tf.sum(tf.mul(weights, z), 1), sum));
}

/** Sum of the squares of `softmax(z)`, the largest entry of each row of z being 0. */
function concentrationOf(z: tf.Tensor2D): tf.Tensor1D {
  const weights = tf.exp(z);
  return tf.div(tf.sum(tf.square(weights), 1), tf.square(tf.sum(weights, 1)));
}

function checkArguments({ hidden, outputEmbedding, softCap }: OutputHead, targets: Int32Array): void {
  if (targets.length === 0) throw new RangeError("targetLogProbs needs at least one row");
  requireShape("outputEmbedding", outputEmbedding, [outputEmbedding.shape[0], hidden.shape[1]]);
  requireIndices("targets", targets, hidden.shape[0], 0, outputEmbedding.shape[0]);
  requireSoftCap(softCap);
}
