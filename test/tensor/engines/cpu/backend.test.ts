import "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import type { CpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";
import { BACKEND, startCpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";

let engine: CpuEngine;
let warnings: unknown[];
beforeAll(async () => {
  const warn = jest.spyOn(console, "warn").mockImplementation(() => undefined);
  engine = await startCpuEngine({ threads: 2 });
  tf.scalar(1).dispose();
  warnings = [...warn.mock.calls];
  await tf.setBackend("cpu"); // the reference: it prints a banner at its first tensor
  tf.scalar(1).dispose();
  await tf.setBackend(BACKEND);
  warn.mockRestore();
});
afterAll(() => tf.removeBackend(BACKEND));

function numbers(...shape: number[]): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7 + size) * 2),
    shape,
  );
}

describe("cpu backend", () => {
  test("starts without the banner of TensorFlow.js and names its matrix product", () => {
    expect(tf.getBackend()).toBe(BACKEND);
    expect(warnings).toEqual([]);
    expect(engine.provider).toMatch(/^onnxruntime 1\.\d+\.\d+ \(C API\)$/);
  });

  test("has every kernel of TensorFlow.js' cpu backend", () => {
    const names = (backend: string) => tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName);
    expect(names(BACKEND)).toEqual(expect.arrayContaining(names("cpu")));
  });

  test("keeps its own copy of values written from JavaScript", () => {
    const values = Float32Array.of(1, 2, 3);
    const x = tf.tensor1d(values);
    values[0] = 9;
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    x.dispose();
  });

  test("what was read outlives the tensor", () => {
    const x = tf.tensor1d([1, 2, 3]);
    const read = x.dataSync();
    x.dispose();
    tf.tensor1d([7, 8, 9]).dispose();
    expect([...read]).toEqual([1, 2, 3]);
  });

  test("a part taken by a kernel of TensorFlow.js outlives the whole", () => {
    const whole = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const [, middle] = tf.unstack(whole);
    whole.dispose();
    tf.tensor2d([0, 0, 0, 0, 0, 0], [3, 2]).dispose();
    expect([...middle!.dataSync()]).toEqual([3, 4]);
    tf.disposeVariables();
  });

  test("holds integers, truth values, strings and complex numbers", () => {
    expect([...tf.add(tf.tensor1d([3, -4], "int32"), tf.tensor1d([1, 1], "int32")).dataSync()]).toEqual([4, -3]);
    expect([...tf.logicalNot(tf.tensor1d([true, false], "bool")).dataSync()]).toEqual([0, 1]);
    expect(tf.tensor1d(["a", "bé"]).dataSync()).toEqual(["a", "bé"]);
    expect([...tf.real(tf.complex([1, 2], [3, 4])).dataSync()]).toEqual([1, 2]);
  });

  test("frees the arena with its tensors: a thousand steps of changing sizes leave it as it was", () => {
    const step = (i: number): void =>
      tf.tidy(() => {
        const x = numbers(10 + (i % 7), 33);
        tf.tidy(() => tf.add(tf.sum(tf.relu(tf.matMul(x, x, true, false))), tf.mean(tf.gather(x, [0, 1]))));
      });
    for (let i = 0; i < 20; i++) step(i);
    const before = { ...engine.memory(), tensors: tf.memory().numTensors };
    for (let i = 0; i < 1000; i++) step(i);
    expect({ ...engine.memory(), tensors: tf.memory().numTensors }).toEqual(before);
  });

  test("moves tensors from and to another backend", async () => {
    const x = tf.tensor1d([1, 2]);
    await tf.setBackend("cpu");
    const y = tf.mul(x, 2);
    await tf.setBackend(BACKEND);
    expect([...tf.add(y, 1).dataSync()]).toEqual([3, 5]);
  });
});

/** Operations with fast kernels, each with shapes that reach the tails and the broadcasts. */
const operations: Record<string, () => tf.Tensor> = {
  "add, same shape": () => tf.add(numbers(3, 7), numbers(3, 7)),
  "sub, one row for all": () => tf.sub(numbers(5, 7), numbers(7)),
  "div, one column for all": () => tf.div(numbers(5, 7), numbers(5, 1)),
  "mul, row by column": () => tf.mul(numbers(5, 1), numbers(1, 6)),
  "mul, scalar first": () => tf.mul(tf.scalar(3), numbers(4, 5)),
  "add, repeated in the middle": () => tf.add(numbers(2, 3, 5), numbers(2, 1, 5)),
  "sub, repeated before and behind": () => tf.sub(numbers(2, 3, 5), numbers(3, 1)),
  maximum: () => tf.maximum(numbers(4, 3), 0.5),
  minimum: () => tf.minimum(numbers(13), tf.neg(numbers(13))),
  squaredDifference: () => tf.squaredDifference(numbers(9), numbers(1)),
  addN: () => tf.addN([numbers(5), numbers(5), numbers(5)]),
  "exp over the whole range": () => tf.exp(tf.tensor1d([-200, -104, -87, -1, 0, 1, 80, 88.5, 100, NaN])),
  sigmoid: () => tf.sigmoid(tf.tensor1d([-200, -20, -1, 0, 1, 20, 200])),
  sqrt: () => tf.sqrt(tf.abs(numbers(11))),
  rsqrt: () => tf.rsqrt(tf.square(numbers(11))),
  reciprocal: () => tf.reciprocal(numbers(6)),
  matMul: () => tf.matMul(numbers(17, 5) as tf.Tensor2D, numbers(5, 9) as tf.Tensor2D),
  "matMul, large": () => tf.matMul(numbers(70, 61), numbers(45, 61), false, true),
  "matMul, batches": () => tf.matMul(numbers(4, 3, 5), numbers(4, 6, 5), false, true),
  "matMul, one operand for all batches": () => tf.matMul(numbers(1, 5, 3), numbers(4, 5, 6), true, false),
  "matMul, inner size 0": () => tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])),
  "fused matMul": () =>
    tf.fused.matMul({
      ...{ a: numbers(3, 4), b: numbers(4, 5), transposeA: false, transposeB: false },
      ...{ bias: numbers(5), activation: "relu" },
    }),
  "sum of rows": () => tf.sum(numbers(3, 5, 7), [1, 2]),
  "sum of columns": () => tf.sum(numbers(6, 7), 0, true),
  "sum of a middle axis": () => tf.sum(numbers(3, 5, 7), 1),
  "sum of everything": () => tf.sum(numbers(50, 61)),
  mean: () => tf.mean(numbers(4, 9), -1),
  max: () => tf.max(numbers(4, 9), 1),
  "max with a NaN": () => tf.max(tf.tensor2d([1, NaN, 3, 1, 2, 3], [2, 3]), 1),
  "place of the maximum": () => tf.argMax(numbers(5, 1003), 1),
  "place of the maximum, of equals and of NaNs": () =>
    tf.argMax(tf.tensor2d([1, 3, NaN, 2, 3, 3, NaN, 9, 1, 2, 3, 4, -2, -2, -3, -2, -9, -2], [3, 6]), 1),
  "place of the maximum among infinities": () => tf.argMax(tf.tensor2d([-Infinity, -Infinity, 1, Infinity], [2, 2]), 1),
  "place of the maximum along the first axis": () => tf.argMax(numbers(7, 5), 0),
  softmax: () => tf.softmax(numbers(3, 11)),
  "softmax of extreme logits": () => tf.softmax(tf.tensor2d([-1e30, 5, 5, 1e30, 0, -1e30], [2, 3])),
  transpose: () => tf.transpose(numbers(5, 7)),
  "transpose of heads": () => tf.transpose(numbers(2, 3, 4, 5), [0, 2, 1, 3]),
  "transpose of four axes": () => tf.transpose(numbers(2, 3, 4, 5), [3, 1, 0, 2]),
  "transpose of integers": () => tf.transpose(tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], "int32")),
  "cast of integers": () => tf.mul(tf.cast(tf.tensor1d([3, -4], "int32"), "float32"), 0.5),
  "cast to integers": () => tf.cast(tf.tensor1d([3.7, -4.7]), "int32"),
  "cast to truth values": () => tf.cast(tf.tensor1d([0.5, 0, -2]), "bool"),
  "integer and float": () => tf.sub(tf.oneHot(tf.tensor1d([1, 0], "int32"), 3), numbers(2, 3)),
  "slice of rows": () => tf.slice(numbers(6, 5), [2, 0], [3, 5]),
  "slice of columns": () => tf.slice(numbers(6, 5), [0, 1], [6, 3]),
  "slice of both": () => tf.slice(numbers(6, 5), [1, 1], [2, 3]),
  split: () => tf.concat(tf.split(numbers(4, 6), [1, 5], 1).reverse(), 1),
  concat: () => tf.concat([numbers(2, 3), numbers(1, 3), tf.zeros([0, 3])] as tf.Tensor2D[], 0),
  "concat of columns": () => tf.concat([numbers(2, 3), numbers(2, 2)] as tf.Tensor2D[], 1),
  gather: () => tf.gather(numbers(5, 3), tf.tensor2d([4, 0, 2, 2], [2, 2], "int32")),
  "gather of columns": () => tf.gather(numbers(5, 3), [2, 0], 1),
  unsortedSegmentSum: () => tf.unsortedSegmentSum(numbers(5, 3), tf.tensor1d([1, 0, 1, 3, 1], "int32"), 4),
  "segments out of range": () => tf.unsortedSegmentSum(numbers(3, 2), tf.tensor1d([1, -1, 5], "int32"), 2),
  fill: () => tf.concat([tf.zeros([5]), tf.ones([3]), tf.fill([2], 2.5), tf.zerosLike(numbers(2))] as tf.Tensor1D[]),
};

describe("fast kernels agree with TensorFlow.js' own", () => {
  test.each(Object.keys(operations))("%s", async (name) => {
    await tf.setBackend("cpu");
    const expected = tf.tidy(operations[name]!);
    const reference = [...expected.dataSync()];
    await tf.setBackend(BACKEND);
    const before = { numTensors: tf.memory().numTensors, numDataIds: tf.backend().numDataIds() };
    const actual = tf.tidy(operations[name]!);
    expect(actual.shape).toEqual(expected.shape);
    expect(actual.dtype).toBe(expected.dtype);
    const values = [...actual.dataSync()];
    values.forEach((value, i) => {
      const size = Math.abs(reference[i]!);
      const allowed = size < 1e-37 ? 1e-37 : 1e-5 * Math.max(size, 0.1);
      if (!Number.isFinite(size)) expect(value).toBe(reference[i]!);
      else expect(Math.abs(value - reference[i]!)).toBeLessThan(allowed);
    });
    actual.dispose();
    expect({ numTensors: tf.memory().numTensors, numDataIds: tf.backend().numDataIds() }).toEqual(before);
  });

  test("an index outside the table is an error", () => {
    expect(() => tf.gather(numbers(3, 2), [3])).toThrow(/not in \[0, 2\]/);
  });
});

describe("TensorFlow.js' own tape", () => {
  test("gives the gradients of the cpu backend, and leaks nothing", async () => {
    const w = tf.variable(numbers(4, 3) as tf.Tensor2D);
    const loss = (): tf.Scalar => {
      const shares = tf.softmax(tf.add(tf.matMul(numbers(5, 4) as tf.Tensor2D, w), numbers(3)));
      return tf.mean(tf.slice(tf.log(shares), [0, 1], [5, 2]));
    };
    await tf.setBackend("cpu");
    const expected = [...tf.tidy(() => tf.variableGrads(loss).grads[w.name]!).dataSync()];
    await tf.setBackend(BACKEND);
    const before = tf.memory().numTensors;
    const gradient = tf.tidy(() => tf.variableGrads(loss).grads[w.name]!);
    [...gradient.dataSync()].forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
    gradient.dispose();
    expect(tf.memory().numTensors).toBe(before);
    w.dispose();
  });
});
