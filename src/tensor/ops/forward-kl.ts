import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { headGradient, logitsOf, rowChunks, timesTable, type OutputHead } from "./logits.ts";
import { softCap } from "./soft-cap.ts";

/**
 * `KL(reference ‖ model)` of each row over the vocabulary, `[R]`, nats. Works through a few rows at a time, so the
 * `[R, V]` logits never exist. The two may differ in width. Not to be recorded on a tape: its gradient is
 * `forwardKlGradient`.
 * @throws RangeError for no rows, or shapes that do not fit
 */
export function forwardKl(model: OutputHead, reference: OutputHead): tf.Tensor1D {
  checkHeads(model, reference);
  return tf.tidy(() => {
    const parts = rowChunks(model.hidden.shape[0], model.outputEmbedding.shape[0]).map(([from, to]) =>
      tf.tidy(() => {
        const own = logSoftmax(logitsOf(model, from, to));
        const other = logSoftmax(logitsOf(reference, from, to));
        return tf.sum(tf.mul(tf.exp(other), tf.sub(other, own)), 1) as tf.Tensor1D;
      }),
    );
    return tf.concat(parts);
  });
}

/**
 * Gradients of `sum(dKl * forwardKl)` on the model: `dHidden [R, D]` and, where asked for, `dOutputEmbedding [V, D]`.
 * On the model's logits, those after its cap, it is `dKl * (softmax(model) - softmax(reference))`. Rows with `dKl = 0` get 0 and cost nothing.
 */
export function forwardKlGradient(
  model: OutputHead,
  reference: OutputHead,
  dKl: Float32Array,
  { needEmbedding }: { needEmbedding: boolean },
): { dHidden: tf.Tensor2D; dOutputEmbedding?: tf.Tensor2D } {
  checkHeads(model, reference);
  if (dKl.length !== model.hidden.shape[0]) throw new RangeError("dKl must have one entry per row");
  const live = Int32Array.from(dKl.keys()).filter((row) => dKl[row] !== 0);
  const [dHidden, dOutputEmbedding] = tf.tidy(() =>
    headGradient(model, live, needEmbedding, (logits, own) => {
      const other: tf.Tensor2D = tf.gather(reference.hidden, tf.tensor1d(own, "int32"));
      const scale = tf.tensor2d(
        Float32Array.from(own, (row) => dKl[row]!),
        [own.length, 1],
      );
      const products = timesTable(other, reference.outputEmbedding);
      const [p, q] = [tf.softmax(logits), tf.softmax(softCap(products, reference.softCap))];
      return tf.mul(tf.sub(p, q), scale);
    }),
  );
  return dOutputEmbedding === undefined ? { dHidden } : { dHidden, dOutputEmbedding };
}

function logSoftmax(logits: tf.Tensor2D): tf.Tensor2D {
  const shifted = tf.sub(logits, tf.max(logits, 1, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), 1, true)));
}

function checkHeads(model: OutputHead, reference: OutputHead): void {
  const [rows, vocabulary] = [model.hidden.shape[0], model.outputEmbedding.shape[0]];
  if (rows === 0) throw new RangeError("forwardKl needs at least one row");
  requireShape("outputEmbedding", model.outputEmbedding, [vocabulary, model.hidden.shape[1]]);
  const width = reference.hidden.shape[1];
  requireShape("the reference's hidden", reference.hidden, [rows, width]);
  requireShape("the reference's outputEmbedding", reference.outputEmbedding, [vocabulary, width]);
}
