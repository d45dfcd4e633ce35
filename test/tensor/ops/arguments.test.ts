import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import * as ops from "../../../src/tensor/ops/index.ts";
import { usePlainBackend } from "../backend.ts";

beforeAll(usePlainBackend);

const ones = (rows: number, columns: number): tf.Tensor2D => tf.ones([rows, columns]);

describe("kernels read memory unchecked, so operations refuse", () => {
  test("ids outside the table", () => {
    expect(() => ops.embed(ones(3, 2), Int32Array.of(0, 3))).toThrow("ids[1] is 3, outside [0, 3)");
    expect(() => ops.embed(ones(3, 2), Int32Array.of(-1))).toThrow(RangeError);
  });

  test("shapes that do not fit", () => {
    expect(() => ops.linear(ones(2, 3), ones(4, 5))).toThrow("x has shape [2, 3], expected [2, 5]");
    expect(() => ops.linear(ones(2, 3), ones(4, 3), tf.ones([3]))).toThrow("bias has shape [3], expected [4]");
    expect(() => ops.rmsNorm(ones(2, 3), tf.ones([2]), 1e-5)).toThrow("gain");
    expect(() => ops.rotary(ones(2, 8), ones(2, 4), ones(2, 4), 2)).toThrow("cos has shape [2, 4], expected [2, 2]");
    expect(() => ops.rotary(ones(2, 6), ones(2, 1), ones(2, 1), 2)).toThrow("expected [2, 1.5]"); // heads of odd width
    expect(() => ops.rotary(ones(2, 16), ones(2, 3), ones(2, 2), 2)).toThrow("sin has shape [2, 2], expected [2, 3]");
    expect(() => ops.rotary(ones(2, 16), ones(2, 0), ones(2, 0), 2)).toThrow("cos has shape [2, 0], expected [2, 1]");
    expect(() => ops.layerNorm(ones(2, 3), tf.ones([3]), tf.ones([2]), 1e-5)).toThrow("bias");
    expect(() => ops.gatedUnit(ones(2, 3), ones(3, 2), "gelu")).toThrow("up");
    expect(() => ops.splitColumns(ones(2, 5), [2, 2])).toThrow("x has 5 columns, which do not split into 2, 2");
    expect(() => ops.splitColumns(ones(2, 5), [5, 0])).toThrow("do not split into 5, 0");
    expect(() => ops.swiglu(ones(2, 3), ones(3, 2))).toThrow("up");
  });

  test("rows that do not cover the tokens, and heads that do not divide", () => {
    const attend = (starts: number[], heads = 2, keyValueHeads = 1, promptKeys?: Uint8Array) =>
      ops.causalAttention(ones(3, 4), ones(3, 2), ones(3, 2), {
        starts: Int32Array.from(starts),
        heads,
        keyValueHeads,
        promptKeys,
      });
    expect(() => attend([0, 2])).toThrow("starts must rise from 0 to the number of tokens, 3");
    expect(() => attend([0, 2, 1, 3])).toThrow("starts must rise");
    expect(() => attend([1, 3])).toThrow("starts must rise");
    expect(() => attend([0, 3], 3)).toThrow("width 4 does not split into 3 heads");
    expect(() => attend([0, 3], 2, 2)).toThrow("k has shape [3, 2], expected [3, 4]");
    expect(() => attend([0, 3], 2, 1, Uint8Array.of(1))).toThrow("promptKeys has 1 entries, expected 3");
  });

  test("facts about scores with which they would not be finite, and windows without a query's own key", () => {
    const attend = (facts: object) =>
      ops.causalAttention(ones(3, 4), ones(3, 2), ones(3, 2), {
        ...{ starts: Int32Array.of(0, 3), heads: 2, keyValueHeads: 1 },
        ...facts,
      });
    expect(() => attend({ scale: 0 })).toThrow("scale is 0, expected above 0");
    expect(() => attend({ softCap: -1 })).toThrow("softCap is -1, expected above 0");
    expect(() => attend({ window: 0 })).toThrow("window is 0, expected a whole number of at least 1");
    expect(() => attend({ window: 1.5 })).toThrow("window is 1.5");
    expect(() => ops.softCap(ones(1, 1), 0)).toThrow("softCap is 0");
    expect(() => ops.targetLogProbs(ones(1, 2), ones(3, 2), Int32Array.of(0), { softCap: -3 })).toThrow(
      "softCap is -3",
    );
    const head = { hidden: ones(1, 2), outputEmbedding: ones(3, 2) };
    expect(() => ops.forwardKl(head, { ...head, softCap: 0 })).toThrow("softCap is 0");
  });

  test("cache positions outside the cache, and empty caches", () => {
    const cache = tf.ones([2, 4, 2]) as tf.Tensor3D;
    const attend = (lengths: number[], rows = [0, 1], firsts = [0, 0]) =>
      ops.cachedAttention(ones(2, 4), cache, cache, {
        firsts: Int32Array.from(firsts),
        rows: Int32Array.from(rows),
        lengths: Int32Array.from(lengths),
        heads: 2,
        keyValueHeads: 1,
      });
    expect(() => attend([4, 5])).toThrow("lengths[1] is 5, outside [1, 5)");
    expect(() => attend([0, 1])).toThrow("lengths[0] is 0");
    expect(() => attend([1, 1], [0, 2])).toThrow("rows[1] is 2, outside [0, 2)");
    expect(() => attend([2, 1], [0, 1], [2, 0])).toThrow("the number of entries seen[0] is 0");
    const variable = tf.variable(cache);
    expect(() => ops.writeCache(variable, ones(2, 2), Int32Array.of(0, 4))).toThrow("positions[1] is 4");
    expect(() => ops.writeCache(variable, ones(1, 2), Int32Array.of(0), Int32Array.of(2))).toThrow("rows[0] is 2");
    variable.dispose();
  });

  test("targets outside the vocabulary, no rows, and gradients of another length", () => {
    expect(() => ops.targetLogProbs(ones(1, 2), ones(3, 2), Int32Array.of(3))).toThrow("targets[0] is 3");
    expect(() => ops.targetLogProbs(ones(0, 2), ones(3, 2), new Int32Array(0))).toThrow("at least one row");
    const gradient = () =>
      ops.targetLogProbsGradient(ones(1, 2), ones(3, 2), Int32Array.of(1), new Float32Array(2), {
        needEmbedding: false,
      });
    expect(gradient).toThrow("one entry per target");
  });
});
