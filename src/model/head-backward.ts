import * as tf from "@tensorflow/tfjs-core";
import { forwardKlGradient, targetLogProbsGradient, type OutputHead } from "../tensor/ops/index.ts";
import type { Decoder } from "./decoder.ts";
import { isStored } from "../tensor/stored-weight.ts";
import type { GradientStore } from "./gradients.ts";
import { outputHead } from "./output.ts";

/** Gradients on what the output projection gave, `[R]` each. Absent = 0. */
export interface HeadGradients {
  dLogProb: Float32Array | undefined;
  dForwardKl: Float32Array | undefined;
}

/** What the first phase has left for the second. */
export interface HeadKnowledge {
  reference: OutputHead | undefined;
  /** Of the first rows; used up. */
  logits: tf.Tensor2D | undefined;
}

/**
 * Goes back through the output projection at the rows with a gradient, adding the projection's own part to `gradients`.
 * @returns the gradient on `hidden [R, D]`; undefined where every gradient is 0
 */
export function headBackward(
  model: Pick<Decoder, "config" | "outputEmbedding">,
  hidden: tf.Tensor2D,
  targets: Int32Array,
  { dLogProb, dForwardKl }: HeadGradients,
  { reference, logits }: HeadKnowledge,
  gradients: GradientStore,
): tf.Tensor2D | undefined {
  const output = model.outputEmbedding;
  const own = outputHead(model, hidden);
  const needEmbedding = !isStored(output) && output.trainable;
  const parts: { dHidden: tf.Tensor2D; dOutputEmbedding?: tf.Tensor2D }[] = [];
  const some = (values: Float32Array | undefined) => values?.some((value) => value !== 0) === true;
  if (some(dLogProb)) {
    const options = { ...own, needEmbedding, logits };
    parts.push(targetLogProbsGradient(hidden, output, targets, dLogProb!, options));
  }
  if (some(dForwardKl) && reference !== undefined) {
    parts.push(forwardKlGradient(own, reference, dForwardKl!, { needEmbedding }));
  }
  if (!isStored(output))
    for (const { dOutputEmbedding } of parts)
      if (dOutputEmbedding !== undefined) gradients.add(output, dOutputEmbedding);
  const [first, second] = parts;
  if (first === undefined || second === undefined) return first?.dHidden;
  const sum: tf.Tensor2D = tf.add(first.dHidden, second.dHidden);
  tf.dispose([first.dHidden, second.dHidden]);
  return sum;
}
