import * as tf from "@tensorflow/tfjs-core";
import { requireIndices } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * Columns of a table as rows: `[R, V]` and `ids [N]` -> `[N, R]`.
 * The gradient adds up those of equal ids.
 * @throws RangeError for an id outside `[0, V)`
 */
export function embedColumns(table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  const [rows, vocabulary] = table.shape;
  requireIndices("ids", ids, ids.length, 0, vocabulary);
  return differentiable<tf.Tensor2D>({
    inputs: [table],
    forward: () => tf.transpose(tf.gather(table, tf.tensor1d(ids, "int32"), 1)),
    gradient: (dy) => {
      const [byRow] = runFused("TokensiftEmbedGrad", { dy }, { ids, vocabulary }) ?? [
        tf.scatterND(tf.tensor2d(ids, [ids.length, 1], "int32"), dy, [vocabulary, rows]),
      ];
      return [tf.transpose(byRow!)];
    },
  });
}
