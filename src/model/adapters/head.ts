import * as tf from "@tensorflow/tfjs-core";
import { linear } from "../../tensor/ops/index.ts";
import { differentiable } from "../../tensor/ops/fused.ts";
import { changeDetector } from "../../tensor/written.ts";
import { times } from "../arithmetic.ts";
import { deriveGradient } from "../derived-gradients.ts";
import { rowNorms } from "./dora.ts";
import type { LowRank } from "./lora.ts";

/** An output projection with an adapter. */
export interface AdaptedHead extends Disposable {
  /** `[vocabulary, width + rank]`: computed from the weight and B before each pass in which one has changed. */
  readonly outputEmbedding: tf.Variable<tf.Rank.R2>;
  /** `[N, width]` -> `[N, width + rank]`; `drop` is the adapter's dropout, in training. */
  present(hidden: tf.Tensor2D, drop: ((x: tf.Tensor2D) => tf.Tensor2D) | undefined): tf.Tensor2D;
}

/**
 * The output projection `weight + scaling * b a`, as one projection that is wider: `[weight, b]` reads
 * `[hidden, scaling * hidden a^T]`. So whatever computes logits a part at a time does so here too. With a magnitude the
 * rows of both are scaled to the lengths that it says.
 */
export function adaptHead(weight: tf.Variable<tf.Rank.R2>, { a, b, scaling, magnitude }: LowRank): AdaptedHead {
  const norms = magnitude && rowNorms({ weight, isEmbedding: false, a, b, scaling });
  const [vocabulary, width] = weight.shape;
  const rank = a.shape[0];
  const wide = tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R2>([vocabulary, width + rank])));
  const factors = (): tf.Tensor2D | undefined => {
    if (magnitude === undefined || norms === undefined) return undefined;
    return tf.reshape(tf.div(magnitude, norms.norms()), [vocabulary, 1]);
  };
  const changed = changeDetector([weight, a, b, ...(magnitude ? [magnitude] : [])]);
  const refresh = (): void => {
    if (!changed()) return;
    tf.tidy(() => {
      const both = tf.concat([weight, b], 1);
      const factor = factors();
      wide.assign(factor === undefined ? both : tf.mul(both, factor));
    });
  };
  deriveGradient(wide, (gradient) => {
    const own = tf.slice(gradient as tf.Tensor2D, [0, width], [vocabulary, rank]);
    const factor = factors();
    if (factor === undefined) return [[b, own]];
    const along = tf.sum(tf.mul(gradient, tf.concat([weight, b], 1)), 1);
    return [
      [b, tf.mul(own, factor)],
      [magnitude!, tf.div(along, norms!.norms())],
    ];
  });
  return {
    outputEmbedding: wide,
    present: (hidden, drop) => {
      const low = times(linear(drop === undefined ? hidden : drop(hidden), a), scaling);
      return beside(hidden, low, refresh);
    },
    [Symbol.dispose]() {
      wide.dispose();
      norms?.[Symbol.dispose]();
    },
  };
}

/** The columns of both. */
function beside(x: tf.Tensor2D, y: tf.Tensor2D, first: () => void): tf.Tensor2D {
  const [rows, width] = x.shape;
  return differentiable<tf.Tensor2D>({
    inputs: [x, y],
    forward: () => {
      first(); // here, where nothing of it is recorded
      return tf.concat([x, y], 1);
    },
    gradient: (dy) => [tf.slice(dy, [0, 0], [rows, width]), tf.slice(dy, [0, width], [rows, dy.shape[1] - width])],
  });
}
