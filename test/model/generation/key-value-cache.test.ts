import { describe, expect, test } from "@jest/globals";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { contiguousCache, type LayerTokens } from "../../../src/model/generation/key-value-cache.ts";
import { causalAttention } from "../../../src/tensor/ops/index.ts";
import { distance, openDecoder } from "../reference.ts";

describe("the key-value cache", () => {
  test("attends as causal attention does over whole texts, while it grows and loses, copies and takes in rows", async () => {
    const { config, dispose } = await openDecoder("tied"); // 4 query heads on 2 key-value heads of size 4
    dispose();
    const before = tf.memory().numTensors;
    const shape = { heads: config.heads, keyValueHeads: config.keyValueHeads };
    const texts = (columns: number): tf.Tensor3D => tf.randomNormal([3, 20, columns], 0, 1, "float32", columns);
    const all = { q: texts(16), k: texts(8), v: texts(8), input: texts(1) };
    const part = (tensor: tf.Tensor3D, text: number, from: number, to: number): tf.Tensor2D =>
      tf.tidy(() => tf.reshape(tf.slice(tensor, [text, from, 0], [1, to - from, -1]), [to - from, -1]));
    const tokens = (get: (tensor: tf.Tensor3D) => tf.Tensor2D): LayerTokens => {
      const { q, k, v, input } = all;
      return { q: get(q), k: get(k), v: get(v), input: get(input) };
    };
    const whole = (text: number, end: number): tf.Tensor2D => {
      const { q, k, v } = tokens((tensor) => part(tensor, text, 0, end));
      return causalAttention(q, k, v, { starts: Int32Array.of(0, end), ...shape }).output;
    };
    const expectSame = (actual: tf.Tensor2D, expected: tf.Tensor2D): void =>
      expect(distance(actual.dataSync(), expected.dataSync())).toBeLessThan(1e-6);

    const cache = contiguousCache(config, 4);
    const held: { row: number; text: number; length: number }[] = [];
    const start = (row: number, text: number, length: number): void => {
      tf.tidy(() => {
        const output = cache.start(
          0,
          { rows: Int32Array.of(row), starts: Int32Array.of(0, length) },
          tokens((tensor) => part(tensor, text, 0, length)),
        );
        expectSame(output, whole(text, length));
      });
      held.push({ row, text, length });
    };
    const extend = (): void =>
      tf.tidy(() => {
        const news = tokens((tensor) =>
          tf.concat(held.map(({ text, length }) => part(tensor, text, length, length + 1))),
        );
        const output = cache.extend(
          0,
          Int32Array.from(held, ({ row }) => row),
          news,
        );
        held.forEach((text) => text.length++);
        const lasts = held.map(({ text, length }) => tf.slice(whole(text, length), [length - 1, 0], [1, -1]));
        expectSame(output, tf.concat(lasts));
      });

    start(2, 0, 3);
    start(0, 1, 6);
    for (let step = 0; step < 5; step++) extend();
    cache.copyRow(0, 3); // the copy goes on with the same text, and neither disturbs the other
    held.push({ ...held[1]!, row: 3 });
    extend();
    cache.dropRow(2);
    held.shift();
    start(2, 2, 1);
    for (let step = 0; step < 7; step++) extend();
    expect([0, 1, 2, 3].map((row) => cache.length(0, row))).toEqual([6 + 13, 0, 1 + 7, 6 + 13]);
    cache.dispose();
    tf.dispose(Object.values(all));
    expect(tf.memory().numTensors).toBe(before);
  });
});
