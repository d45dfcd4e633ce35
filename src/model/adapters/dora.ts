import * as tf from "@tensorflow/tfjs-core";
import { differentiable } from "../../tensor/ops/fused.ts";
import { changeDetector } from "../../tensor/written.ts";

/** What a change with a magnitude needs: `weight + scaling * b a` is brought to rows of the lengths `magnitude`. */
export interface Directed {
  /** `[outputs, inputs]`, or of an embedding `[inputs, outputs]`. */
  readonly weight: tf.Variable<tf.Rank.R2>;
  readonly isEmbedding: boolean;
  readonly a: tf.Variable<tf.Rank.R2>;
  readonly b: tf.Variable<tf.Rank.R2>;
  readonly scaling: number;
}

/** Lengths of rows, computed anew where a weight has changed. */
export interface RowNorms extends Disposable {
  /** `[outputs]`; not to be disposed of. To be called where nothing is recorded, as within an operation. */
  norms(): tf.Tensor1D;
}

/**
 * The lengths of the rows of `weight + scaling * b a`, by their squares: that matrix is never made.
 * `|w|^2 + 2 s b.(w a^T) + s^2 b.(a a^T b)` for each row w and its row b.
 */
export function rowNorms(change: Directed): RowNorms {
  const { weight, isEmbedding, a, b, scaling } = change;
  const changed = changeDetector([weight, a, b]);
  const weightChanged = changeDetector([weight]);
  let squares: tf.Tensor1D | undefined;
  let held: tf.Tensor1D | undefined;
  const squaresOfWeight = (): tf.Tensor1D => {
    if (!weightChanged() && squares !== undefined) return squares;
    squares?.dispose();
    return (squares = tf.keep(tf.tidy(() => tf.sum<tf.Tensor1D>(tf.square(weight), isEmbedding ? 0 : 1))));
  };
  return {
    norms() {
      if (!changed() && held !== undefined) return held;
      held?.dispose();
      const own = squaresOfWeight();
      held = tf.keep(
        tf.tidy(() => {
          const crossed = tf.matMul(weight, a, isEmbedding, true); // [outputs, rank]
          const among = tf.matMul(b, tf.matMul(a, a, false, true));
          const terms = tf.add(tf.mul(crossed, 2 * scaling), tf.mul(among, scaling ** 2));
          return tf.sqrt<tf.Tensor1D>(tf.add(own, tf.sum(tf.mul(terms, b), 1)));
        }),
      );
      return held;
    },
    [Symbol.dispose]() {
      tf.dispose([squares, held].filter((tensor) => tensor !== undefined));
      squares = held = undefined;
    },
  };
}

/**
 * What DoRA (arXiv 2402.09353) adds to a module's output: `(c - 1) base + c low` with `c = magnitude / norms`, for
 * `base [N, outputs]` of the weight and `low` of the two matrices, scaled. The norms are constants to the gradient
 * (section 4.3), as in PEFT.
 */
export function directed(
  base: tf.Tensor2D,
  low: tf.Tensor2D,
  magnitude: tf.Variable<tf.Rank.R1>,
  { norms }: RowNorms,
): tf.Tensor2D {
  return differentiable<tf.Tensor2D>({
    inputs: [base, low, magnitude],
    forward: (save) => {
      const lengths = tf.clone(norms());
      const factors = tf.div<tf.Tensor1D>(magnitude, lengths);
      save([tf.add(base, low), factors, lengths]);
      return tf.add(tf.mul(base, tf.sub(factors, 1)), tf.mul(low, factors));
    },
    gradient: (dy, [sum, factors, lengths]) => [
      tf.mul(dy, tf.sub(factors!, 1)),
      tf.mul(dy, factors!),
      tf.div(tf.sum(tf.mul(dy, sum!), 0), lengths!),
    ],
  });
}
