import * as tf from "@tensorflow/tfjs-core";
import { requireIndices } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";
import { isStored, rowsOfStored, type StoredWeight, type Weight, widened } from "../stored-weight.ts";

/**
 * Rows of an embedding table: `[V, D]` and `ids [N]` -> `[N, D]`.
 * The gradient adds up the rows of equal ids; a table that stays in its file gets none.
 * @throws RangeError for an id outside `[0, V)`
 */
export function embed(table: Weight, ids: Int32Array): tf.Tensor2D {
  const [vocabulary, width] = table.shape;
  requireIndices("ids", ids, ids.length, 0, vocabulary);
  if (isStored(table)) return storedRows(table, ids);
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

function storedRows(table: StoredWeight, ids: Int32Array): tf.Tensor2D {
  table.file.requireUnchanged(); // once in each pass: every other weight lies beside it
  const fused = runFused("TokensiftStoredEmbed", {}, { table, ids });
  if (fused !== undefined) return fused[0];
  return tf.tidy(() => tf.concat([...ids].map((id) => widened(rowsOfStored(table, id, 1)))));
}
