import * as tf from "@tensorflow/tfjs-core";

/** The best of a few products of 1024 x 1024 matrices on the current engine, in 10^9 operations a second. */
export async function measurePeak({ quick = false }: { quick?: boolean }): Promise<number> {
  const size = 1024;
  const matrix = tf.fill<tf.Rank.R2>([size, size], 0.5); // what the numbers are costs a product nothing
  let best = Infinity;
  for (let run = 0; run < (quick ? 1 : 10); run++) {
    const start = performance.now();
    const product = tf.matMul(matrix, matrix);
    const number = tf.slice(product, [0, 0], [1, 1]);
    await number.data(); // a copy of the whole would be part of the time
    best = Math.min(best, performance.now() - start);
    tf.dispose([product, number]);
  }
  matrix.dispose();
  return (2 * size ** 3) / best / 1e6;
}
