import { describe, expect, test } from "@jest/globals";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { contiguousCache } from "../../../src/model/generation/index.ts";
import { causalAttention } from "../../../src/tensor/ops/index.ts";
import { distance, openDecoder } from "../reference.ts";

describe("the key-value cache", () => {
  test("attends as causal attention does over the whole rows, while it grows and loses rows", async () => {
    const { config, dispose } = await openDecoder("tied"); // 4 query heads on 2 key-value heads of size 4
    dispose();
    const before = tf.memory().numTensors;
    const shape = { heads: config.heads, keyValueHeads: config.keyValueHeads };
    const text = (columns: number): tf.Tensor3D => tf.randomNormal([3, 20, columns], 0, 1, "float32", columns);
    const [q, k, v] = [text(16), text(8), text(8)];
    const part = (tensor: tf.Tensor3D, row: number, from: number, to: number): tf.Tensor2D =>
      tf.tidy(() => tf.reshape(tf.slice(tensor, [row, from, 0], [1, to - from, -1]), [to - from, -1]));

    const cache = contiguousCache(config);
    const first = [3, 1, 6]; // tokens of each row at the start
    const starts = Int32Array.of(0, 3, 4, 10);
    const packed = (tensor: tf.Tensor3D): tf.Tensor2D => tf.concat(first.map((n, row) => part(tensor, row, 0, n)));
    tf.tidy(() => cache.fill(0, packed(k), packed(v), starts));
    expect(Array.from(cache.lengths(0))).toEqual(first);

    let rows = [0, 1, 2];
    for (let step = 0; step < 13; step++) {
      if (step === 5) {
        cache.keepRows(Int32Array.of(2, 0));
        rows = [2, 0];
      }
      const at = rows.map((row) => first[row]! + step);
      const news = (tensor: tf.Tensor3D): tf.Tensor2D =>
        tf.concat(rows.map((row, i) => part(tensor, row, at[i]!, at[i]! + 1)));
      const attended = tf.tidy(() => {
        cache.append(0, news(k), news(v));
        return cache.attend(0, news(q));
      });
      const expected = tf.tidy(() =>
        tf.concat(
          rows.map((row, i) => {
            const end = at[i]! + 1;
            const [Q, K, V] = [part(q, row, 0, end), part(k, row, 0, end), part(v, row, 0, end)];
            const whole = causalAttention(Q, K, V, { starts: Int32Array.of(0, end), ...shape }).output;
            return tf.slice(whole, [end - 1, 0], [1, -1]);
          }),
        ),
      );
      expect(distance(await attended.data(), await expected.data())).toBeLessThan(1e-6);
      tf.dispose([attended, expected]);
    }
    expect(Array.from(cache.lengths(0))).toEqual([6 + 13, 3 + 13]);
    cache.dispose();
    tf.dispose([q, k, v]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
