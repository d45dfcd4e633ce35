import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { linear, linears, rmsNorm } from "../../src/tensor/ops/index.ts";
import { recordTape } from "../../src/tensor/tape.ts";
import { usePlainBackend } from "./backend.ts";

beforeAll(usePlainBackend);

function variable(values: number[], shape: [number, number], trainable = true): tf.Variable<tf.Rank.R2> {
  return tf.tidy(() => tf.variable(tf.tensor2d(values, shape), trainable)) as tf.Variable<tf.Rank.R2>;
}

/** Runs backward and returns the gradients' values, in the order in which they arrived. */
function gradientsOf(
  tape: ReturnType<typeof recordTape>,
  outputGradients: [tf.Tensor, tf.Tensor][],
): [tf.Variable, number[]][] {
  const found: [tf.Variable, number[]][] = [];
  tape.backward(outputGradients, (variable, gradient) => {
    found.push([variable, [...gradient.dataSync()]]);
    gradient.dispose();
  });
  return found;
}

describe("recordTape", () => {
  test("results can be read between forward and backward", async () => {
    const w = variable([1, 2, 3, 4], [2, 2]);
    const before = tf.memory();
    const x = tf.tensor2d([5, 6], [1, 2]);
    const tape = recordTape(() => tf.square(tf.matMul(x, w)));
    // x w = [5 + 18, 10 + 24] = [23, 34]
    expect([...(await tape.result.data())]).toEqual([529, 1156]);
    const dy = tf.tensor2d([1, 0.5], [1, 2]);
    // d = 2 * [23, 34] * dy = [46, 34]; dw = x^T d
    expect(gradientsOf(tape, [[tape.result, dy]])).toEqual([[w, [230, 170, 276, 204]]]);
    tape.dispose();
    tf.dispose([x, dy]);
    expect(tf.memory()).toEqual(before);
    w.dispose();
  });

  test("adds up several uses of a variable and several outputs, and calls back once", () => {
    const w = variable([2, 3], [1, 2]);
    const before = tf.memory().numTensors;
    const tape = recordTape(() => ({ product: tf.mul(w, w), sum: tf.add(w, tf.mul(w, 4)) }));
    const [one, ten] = [tf.tensor2d([[1, 1]]), tf.tensor2d([[10, 20]])];
    // d(w^2) * 1 + d(5 w) * [10, 20] = [4 + 50, 6 + 100]
    const found = gradientsOf(tape, [
      [tape.result.product, one],
      [tape.result.sum, ten],
    ]);
    expect(found).toEqual([[w, [54, 106]]]);
    tape.dispose();
    tf.dispose([one, ten]);
    expect(tf.memory().numTensors).toBe(before);
    w.dispose();
  });

  test("operations with several outputs take their gradients together, zeros for one without", () => {
    const [x, w, v] = [variable([1, 2], [1, 2]), variable([3, 4], [1, 2]), variable([5, 6], [1, 2])];
    const tape = recordTape(() => linears(x as tf.Tensor2D, [w, v] as tf.Tensor2D[]));
    const dy = tf.tensor2d([[10]]);
    const found = gradientsOf(tape, [[tape.result[1]!, dy]]);
    expect(found).toHaveLength(3);
    expect(new Map(found)).toEqual(
      new Map([
        [x, [50, 60]],
        [w, [0, 0]],
        [v, [10, 20]],
      ]),
    );
    tape.dispose();
    tf.dispose([dy, x, w, v]);
  });

  test("an output without a gradient contributes nothing", () => {
    const [a, b] = [variable([2], [1, 1]), variable([3], [1, 1])];
    const tape = recordTape(() => [tf.mul(a, 2), tf.mul(b, 2)]);
    const dy = tf.tensor2d([[1]]);
    expect(gradientsOf(tape, [[tape.result[0]!, dy]])).toEqual([[a, [2]]]);
    tape.dispose();
    tf.dispose([dy, a, b]);
  });

  test("the same gradient tensor may be given for two outputs and stays the caller's", () => {
    const w = variable([2], [1, 1]);
    const tape = recordTape(() => [tf.mul(w, 2), tf.mul(w, 3)]);
    const dy = tf.tensor2d([[1]]);
    expect(
      gradientsOf(
        tape,
        tape.result.map((output) => [output, dy] as [tf.Tensor, tf.Tensor]),
      ),
    ).toEqual([[w, [5]]]);
    expect(dy.isDisposed).toBe(false);
    tape.dispose();
    tf.dispose([dy, w]);
  });

  test("frozen variables get no gradient, and their gradients are not computed", async () => {
    const [frozen, free] = [variable([1, 2, 3, 4], [2, 2], false), variable([1, 0, 0, 1], [2, 2])];
    const x = tf.tensor2d([[1, 1]]);
    const tape = recordTape(() => linear(linear(x, free), frozen));
    const dy = tf.tensor2d([[1, 1]]);
    const profile = await tf.profile(() => {
      // d(x free^T) = dy frozen = [4, 6]; d free = [4, 6]^T x
      expect(gradientsOf(tape, [[tape.result, dy]])).toEqual([[free, [4, 4, 6, 6]]]);
      return dy;
    });
    expect(profile.kernels.filter((kernel) => kernel.name === "BatchMatMul")).toHaveLength(3); // dx, dx and dw
    tape.dispose();
    tf.dispose([x, dy, frozen, free]);
  });

  test("agrees with tf.grads through custom gradients, and leaks nothing", () => {
    const gain = tf.variable(tf.tensor1d([1, 2, 0.5]));
    const w = variable([0.1, -0.2, 0.3, 0.4, 0.5, -0.6], [2, 3]);
    const x = tf.tensor2d([0.3, -1, 2, 1, 1, -0.5], [2, 3]);
    const network = (gain: tf.Tensor1D, w: tf.Tensor2D) =>
      tf.tidy(() => tf.sum(tf.square(linear(tf.add(x, rmsNorm(x, gain, 1e-5)), w))));
    const expected = tf.grads((gain, w) => network(gain as tf.Tensor1D, w as tf.Tensor2D))([gain, w]);
    const values = expected.map((gradient) => [...gradient.dataSync()]);
    tf.dispose(expected);
    const before = tf.memory();
    const one = tf.scalar(1);
    for (let repeat = 0; repeat < 3; repeat++) {
      const tape = recordTape(() => network(gain as tf.Tensor1D, w));
      const found = gradientsOf(tape, [[tape.result, one]]);
      expect(found.find(([variable]) => variable === gain)![1]).toEqual(values[0]);
      expect(found.find(([variable]) => variable === w)![1]).toEqual(values[1]);
      tape.dispose();
    }
    one.dispose();
    expect(tf.memory()).toEqual(before);
    tf.dispose([gain, w, x]);
  });

  test("walking backward frees what the forward pass saved", () => {
    const w = variable([1, 2, 3, 4], [2, 2]);
    const x = tf.ones<tf.Rank.R2>([1, 2]);
    const atStart = tf.memory().numDataBuffers;
    const tape = recordTape(() => linear(tf.tanh(linear(x, w)), w));
    expect(tf.memory().numDataBuffers).toBe(atStart + 2); // the result, and what tanh and the second product share
    const dy = tf.ones([1, 2]);
    gradientsOf(tape, [[tape.result, dy]]);
    expect(tf.memory().numDataBuffers).toBe(atStart + 2); // the result and dy
    tape.dispose();
    tf.dispose([x, dy, w]);
  });

  test("saves nothing for operations no variable depends on", () => {
    const x = tf.tensor2d([[1, 2]]);
    const before = tf.memory().numTensors;
    const tape = recordTape(() => tf.tanh(tf.square(x)));
    expect(tf.memory().numTensors).toBe(before + 1);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });

  test("gradients survive an enclosing tidy: they are the receiver's", () => {
    const w = variable([2], [1, 1]);
    const kept: tf.Tensor[] = [];
    tf.tidy(() => {
      const tape = recordTape(() => tf.square(w));
      tape.backward([[tape.result, tf.ones([1, 1])]], (_, gradient) => kept.push(gradient));
      tape.dispose();
    });
    expect([...kept[0]!.dataSync()]).toEqual([4]);
    tf.dispose([...kept, w]);
  });

  test("an error while recording leaves no tensors and no open tape", () => {
    const w = variable([2], [1, 1]);
    const before = tf.memory().numTensors;
    const failing = (): tf.Tensor => {
      tf.square(w);
      throw new Error("stop");
    };
    expect(() => recordTape(failing)).toThrow("stop");
    expect(tf.memory().numTensors).toBe(before);
    recordTape(() => tf.square(w)).dispose();
    expect(tf.memory().numTensors).toBe(before);
    w.dispose();
  });

  test("an error while walking leaves no tensors", () => {
    const w = variable([2], [1, 1]);
    const before = tf.memory().numTensors;
    const tape = recordTape(() => tf.square(tf.square(w)));
    const dy = tf.ones([1, 1]);
    expect(() =>
      tape.backward([[tape.result, dy]], (_, gradient) => {
        gradient.dispose();
        throw new Error("full");
      }),
    ).toThrow("full");
    tape.dispose();
    dy.dispose();
    expect(tf.memory().numTensors).toBe(before);
    w.dispose();
  });

  test("refuses nesting, a second backward, and operations without a gradient", () => {
    const w = variable([2, 1], [1, 2]);
    expect(() => recordTape(() => recordTape(() => tf.square(w)).result)).toThrow("inside another recording");
    const tape = recordTape(() => tf.topk(w, 1).values);
    const dy = tf.ones([1, 1]);
    expect(() => gradientsOf(tape, [[tape.result, dy]])).toThrow("TopK has no gradient");
    expect(() => gradientsOf(tape, [[tape.result, dy]])).toThrow("walked or disposed of already");
    tape.dispose();
    tf.dispose([dy, w]);
  });
});
