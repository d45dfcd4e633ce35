import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { targetLogProbs, targetLogProbsGradient, withPlainDefinitions } from "../../../src/tensor/ops/index.ts";

// The plain definition, but on the engine's elementwise kernels: so many logits take TensorFlow.js half a minute.
beforeAll(() => useEngine("cpu", { threads: 1, matmul: "wasm" }));
afterAll(releaseEngine);

describe("a vocabulary so large that the rows are computed in several parts", () => {
  // One dimension, and token v has embedding v mod 3. With V = 3 M tokens and hidden h, the logits are 0, h and 2h,
  // M times each: Z = M (1 + e^h + e^2h), and the mean embedding is (e^h + 2 e^2h) / (1 + e^h + e^2h).
  // 2^23 logits are held at a time, those of 682 rows; there are 3 kinds of rows, 230 of each.
  const M = 2 ** 12;
  const repeats = 230;
  const kinds = [
    { h: 0.5, target: 2, dLogProb: 1 },
    { h: -1, target: 3 * M - 3, dLogProb: 2 },
    { h: 0, target: 4, dLogProb: -1 },
  ];
  const Z = (h: number) => M * (1 + Math.exp(h) + Math.exp(2 * h));
  const mean = (h: number) => (M * (Math.exp(h) + 2 * Math.exp(2 * h))) / Z(h);
  const rows = Array.from({ length: 3 * repeats }, (_, row) => kinds[row % 3]!);
  const targets = Int32Array.from(rows, ({ target }) => target);

  const tensors = (): { hidden: tf.Tensor2D; embedding: tf.Tensor2D } => ({
    hidden: tf.tensor2d(
      rows.map(({ h }) => h),
      [rows.length, 1],
    ),
    embedding: tf.tensor2d(
      Float32Array.from({ length: 3 * M }, (_, v) => v % 3),
      [3 * M, 1],
    ),
  });

  test("gives every row its log-probability", async () => {
    const { hidden, embedding } = tensors();
    const before = tf.memory().numTensors;
    const { logProb } = withPlainDefinitions(() => targetLogProbs(hidden, embedding, targets));
    const found = await logProb.data<"float32">();
    rows.forEach(({ h, target }, row) => expect(found[row]).toBeCloseTo(h * (target % 3) - Math.log(Z(h)), 4));
    logProb.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([hidden, embedding]);
  });

  test("gives every row its gradient, and the embedding the sum over all parts", async () => {
    const { hidden, embedding } = tensors();
    const before = tf.memory().numTensors;
    const dLogProb = Float32Array.from(rows, (row) => row.dLogProb);
    const options = { needEmbedding: true };
    const { dHidden, dOutputEmbedding } = withPlainDefinitions(() =>
      targetLogProbsGradient(hidden, embedding, targets, dLogProb, options),
    );
    const dh = await dHidden.data<"float32">();
    // dLogProb * (embedding of the target - mean embedding)
    rows.forEach(({ h, target, dLogProb }, row) => {
      expect(dh[row]).toBeCloseTo(dLogProb * ((target % 3) - mean(h)), 4);
    });
    const dE = await dOutputEmbedding!.data<"float32">();
    for (const v of [0, 1, 2, 4, 3 * M - 3]) {
      // sum over the rows of dLogProb * h * (1 where v is the target - p(v))
      const terms = kinds.map(({ h, target, dLogProb }) => {
        const p = Math.exp(h * (v % 3)) / Z(h);
        return dLogProb * h * (Number(v === target) - p);
      });
      expect(dE[v]).toBeCloseTo(repeats * terms.reduce((a, b) => a + b), 3);
    }
    tf.dispose([dHidden, dOutputEmbedding!]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([hidden, embedding]);
  });
});
