import * as tf from "@tensorflow/tfjs-core";
import { requireIndices } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * Rows of an embedding table: `[V, D]` and `ids [N]` -> `[N, D]`.
 * The gradient adds up the rows of equal ids.
 * @throws RangeError for an id outside `[0, V)`
 */
export function embed(table: tf.Tensor2D, ids: Int32Array): tf.Tensor2D {
  const [vocabulary, width] = table.shape;
  requireIndices("ids", ids, ids.length, 0, vocabulary);
  return differentiable<tf.Tensor2D>({
    inputs: [table],
    forward: () => {
      const fused = runFused("TokensiftEmbed", { table }, { ids });
      return fused?.[0] ?? tf.gather(table, tf.tensor1d(ids, "int32"));
    },
    gradient: (dy) => {
      const fused = runFused("TokensiftEmbedGrad", { dy }, { ids, vocabulary });
      if (fused !== undefined) return fused;
      return [tf.scatterND(tf.tensor2d(ids, [ids.length, 1], "int32"), dy, [vocabulary, width])];
    },
  });
}
