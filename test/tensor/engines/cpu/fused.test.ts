import "@tensorflow/tfjs-layers";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { stream } from "../../../../src/system/random.ts";
import { runFused } from "../../../../src/tensor/ops/fused.ts";
import * as ops from "../../../../src/tensor/ops/index.ts";
import { BACKEND, startCpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";

beforeAll(async () => void (await startCpuEngine({ threads: 2 })));
afterAll(() => tf.removeBackend(BACKEND));

const random = stream(7, "fused kernels test");
function numbers(shape: number[], size = 1): tf.Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) values[i] = (random.next() - 0.5) * 2 * size;
  return tf.tensor(values, shape);
}
const matrix = (rows: number, columns: number, size = 1): tf.Tensor2D => numbers([rows, columns], size) as tf.Tensor2D;
const vector = (length: number): tf.Tensor1D => numbers([length]) as tf.Tensor1D;
const integers = (length: number, limit: number): Int32Array =>
  Int32Array.from({ length }, () => Math.floor(random.next() * limit));

/** Largest difference relative to the largest entry of the reference. */
function difference(actual: tf.Tensor, expected: tf.Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const [a, e] = [actual.dataSync<"float32">(), expected.dataSync<"float32">()];
  const size = e.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - e[i]!)), 0) / size;
}

/** Runs both forms, asks for equal values to 1e-5, for equal bits when repeated, and for no leaked tensor. */
function agrees(run: () => tf.Tensor[]): void {
  const before = { numTensors: tf.memory().numTensors, numDataIds: tf.backend().numDataIds() };
  const expected = tf.tidy(() => ops.withPlainDefinitions(run));
  const actual = tf.tidy(run);
  const again = tf.tidy(run);
  expect(actual.length).toBe(expected.length);
  actual.forEach((tensor, i) => {
    expect(difference(tensor, expected[i]!)).toBeLessThan(1e-5);
    expect(tensor.dataSync()).toEqual(again[i]!.dataSync());
  });
  tf.dispose([expected, actual, again]);
  expect({ numTensors: tf.memory().numTensors, numDataIds: tf.backend().numDataIds() }).toEqual(before);
}

/** Value and gradients with respect to every input, for a random gradient of the output. */
function valueAndGradients(inputs: tf.Tensor[], f: (...inputs: tf.Tensor[]) => tf.Tensor): () => tf.Tensor[] {
  const dy = tf.tidy(() => numbers(f(...inputs).shape));
  return () => {
    const { value, grads } = tf.valueAndGrads((...x: tf.Tensor[]) => f(...x))(inputs, dy);
    return [value, ...grads];
  };
}

describe("fused kernels agree with the plain definitions, values and gradients", () => {
  test.each([
    [7, 5],
    [130, 64],
    [1, 1],
    [33, 103],
  ])("rmsNorm of %d rows of %d", (rows, width) => {
    const inputs = [matrix(rows, width), vector(width)];
    agrees(valueAndGradients(inputs, (x, gain) => ops.rmsNorm(x as tf.Tensor2D, gain as tf.Tensor1D, 1e-5)));
  });

  test.each([
    [6, 3, 8],
    [5, 1, 2],
    [4, 2, 6],
    [9, 2, 14],
  ])("rotary of %d rows, %d heads of %d", (rows, heads, d) => {
    const [cos, sin] = [matrix(rows, d / 2), matrix(rows, d / 2)];
    agrees(valueAndGradients([matrix(rows, heads * d)], (x) => ops.rotary(x as tf.Tensor2D, cos, sin, heads)));
  });

  test("swiglu, from small to extreme gates", () => {
    for (const size of [1, 10, 200])
      agrees(
        valueAndGradients([matrix(9, 13, size), matrix(9, 13)], (gate, up) =>
          ops.swiglu(gate as tf.Tensor2D, up as tf.Tensor2D),
        ),
      );
  });

  test.each([1, 4, 7])("embed, repeated ids included, width %d", (width) => {
    const ids = Int32Array.of(3, 0, 3, 10, 3, 1);
    agrees(valueAndGradients([matrix(11, width)], (table) => ops.embed(table as tf.Tensor2D, ids)));
  });

  test("linear, with and without bias", () => {
    const linear = (x: tf.Tensor, w: tf.Tensor, b?: tf.Tensor): tf.Tensor =>
      ops.linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D | undefined);
    agrees(valueAndGradients([matrix(5, 7), matrix(3, 7), vector(3)], linear));
    agrees(valueAndGradients([matrix(50, 37), matrix(61, 37)], linear));
  });

  test.each([
    [1, [5, 3, 2], 7],
    [9, [96, 32, 32], 96],
    [300, [190, 65, 65], 130],
  ])("linears of %d rows with weights of %j rows of %d", (rows, outputs, width) => {
    const linears = (x: tf.Tensor, ...weights: tf.Tensor[]): tf.Tensor =>
      tf.concat(ops.linears(x as tf.Tensor2D, weights as tf.Tensor2D[]), 1);
    agrees(valueAndGradients([matrix(rows, width), ...outputs.map((each) => matrix(each, width))], linears));
  });

  test("linears: a frozen weight gets no gradient, and counts in that of x", () => {
    const [x, trained] = [matrix(40, 30), matrix(20, 30)];
    const frozen = tf.variable(matrix(10, 30), false);
    const dy = matrix(40, 30);
    const sides = (x: tf.Tensor, weight: tf.Tensor): tf.Tensor =>
      tf.concat(ops.linears(x as tf.Tensor2D, [frozen, weight as tf.Tensor2D]), 1);
    const [dx, dWeight] = tf.grads(sides)([x, trained], dy);
    const [ofFrozen, ofTrained] = tf.split(dy, [10, 20], 1);
    expect(difference(dx!, tf.add(tf.matMul(ofFrozen!, frozen), tf.matMul(ofTrained!, trained)))).toBeLessThan(1e-5);
    expect(difference(dWeight!, tf.matMul(ofTrained!, x, true, false))).toBeLessThan(1e-5);
    frozen.dispose();
  });
});

interface Layout {
  lengths: number[];
  heads: number;
  keyValueHeads: number;
  d: number;
  size?: number;
}

const layouts: Record<string, Layout> = {
  "one token": { lengths: [1], heads: 1, keyValueHeads: 1, d: 1 },
  "ragged rows, one of them of one token, one empty": { lengths: [5, 1, 0, 9], heads: 2, keyValueHeads: 2, d: 8 },
  "grouped queries, odd head width": { lengths: [4, 13], heads: 6, keyValueHeads: 2, d: 5 },
  "one key head for all": { lengths: [21], heads: 3, keyValueHeads: 1, d: 16 },
  "rows longer than a block": { lengths: [131, 3, 260], heads: 2, keyValueHeads: 1, d: 12 },
  "large scores": { lengths: [40, 7], heads: 2, keyValueHeads: 2, d: 16, size: 12 },
  "large scores in rows longer than a block": { lengths: [140, 100], heads: 2, keyValueHeads: 1, d: 16, size: 12 },
};

describe("causal attention agrees with the plain definition", () => {
  test.each(Object.keys(layouts))("%s", (name) => {
    const { lengths, heads, keyValueHeads, d, size = 1 } = layouts[name]!;
    const starts = Int32Array.of(0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0)));
    const N = starts.at(-1)!;
    const options = { starts, heads, keyValueHeads };
    const qkv = [matrix(N, heads * d, size), matrix(N, keyValueHeads * d, size), matrix(N, keyValueHeads * d)];
    agrees(
      valueAndGradients(
        qkv,
        (q, k, v) => ops.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, options).output,
      ),
    );
    const promptKeys = Uint8Array.from({ length: N }, (_, i) => (i % 3 === 0 ? 1 : 0));
    agrees(() => {
      const [q, k, v] = qkv as tf.Tensor2D[];
      const { output, promptMass } = ops.causalAttention(q!, k!, v!, { ...options, promptKeys });
      return [output, promptMass!];
    });
  });

  test.each([7, 129, 1000])("with scale, soft cap and a window of %d, rows shorter and longer", (window) => {
    const starts = Int32Array.of(0, 1, 8, 8, 136, 297);
    const options = { starts, heads: 2, keyValueHeads: 1, scale: 0.4, softCap: 2, window };
    const qkv = [matrix(297, 12, 3), matrix(297, 6, 3), matrix(297, 6)];
    const attend = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor =>
      ops.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, options).output;
    agrees(valueAndGradients(qkv, attend as (...inputs: tf.Tensor[]) => tf.Tensor));
    const promptKeys = Uint8Array.from({ length: 297 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    agrees(() => {
      const [q, k, v] = qkv as tf.Tensor2D[];
      const { output, promptMass } = ops.causalAttention(q!, k!, v!, { ...options, promptKeys });
      return [output, promptMass!];
    });
    const more = { ...options, evictable: promptKeys, reach: Int32Array.of(1, 2, 1, 1, 3) };
    const gates = tf.tidy(() => tf.relu(matrix(297, 1)));
    agrees(
      valueAndGradients([...qkv, gates], (q, k, v, g) =>
        ops.gatedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, g as tf.Tensor2D, more),
      ),
    );
  });

  test("facts that say what is so without them change no bit", () => {
    const starts = Int32Array.of(0, 150, 160);
    const [q, k, v] = [matrix(160, 64), matrix(160, 32), matrix(160, 32)];
    const heads = { starts, heads: 4, keyValueHeads: 2 };
    const output = (facts: object): Float32Array =>
      ops
        .causalAttention(q, k, v, { ...heads, ...facts })
        .output.dataSync<"float32">()
        .slice();
    expect(output({ scale: 1 / 4, window: 150 })).toEqual(output({}));
  });

  test.each([
    { T: 20, size: 1 },
    { T: 150, size: 1 },
    { T: 150, size: 20 },
  ])("keeps the log-sum-exp of the scaled scores, $T tokens, numbers up to $size", ({ T, size }) => {
    const [q, k, v] = [matrix(T, 16, size), matrix(T, 16, size), matrix(T, 16)];
    const attributes = { starts: Int32Array.of(0, T), heads: 2, keyValueHeads: 2 };
    const [, logSumExp] = runFused("TokensiftCausalAttention", { q, k, v }, attributes)!;
    const expected = tf.stack(
      [0, 8].map((from) => {
        const [ownQ, ownK] = [q, k].map((all) => tf.slice(all, [0, from], [T, 8]));
        const seen = tf.linalg.bandPart(tf.ones([T, T]), -1, 0);
        const scores = tf.div(tf.matMul(ownQ!, ownK!, false, true), Math.sqrt(8));
        return tf.logSumExp(tf.where(tf.cast(seen, "bool"), scores, tf.fill([T, T], -1e30)), 1);
      }),
      1,
    );
    expect(difference(logSumExp, expected)).toBeLessThan(1e-6);
  });

  test("scores of 1e30 give one-hot weights, not NaN", () => {
    const q = tf.tensor2d([1e15, 1e15, 1e15], [3, 1]);
    const k = tf.tensor2d([1e15, -1e15, 5e14], [3, 1]);
    const v = tf.tensor2d([1, 2, 3], [3, 1]);
    const attention = { starts: Int32Array.of(0, 3), heads: 1, keyValueHeads: 1 };
    expect([...ops.causalAttention(q, k, v, attention).output.dataSync()]).toEqual([1, 1, 1]);
  });

  test.each([
    { rows: 1, capacity: 1, heads: 1, keyValueHeads: 1, d: 3, lengths: [1] },
    { rows: 3, capacity: 9, heads: 4, keyValueHeads: 2, d: 6, lengths: [9, 1, 4] },
  ])("cached attention, %o", ({ rows, capacity, heads, keyValueHeads, d, lengths }) => {
    const q = matrix(rows, heads * d);
    const keys = numbers([rows, capacity, keyValueHeads * d]) as tf.Tensor3D;
    const values = numbers([rows, capacity, keyValueHeads * d]) as tf.Tensor3D;
    agrees(() => [ops.cachedAttention(q, keys, values, { lengths: Int32Array.from(lengths), heads, keyValueHeads })]);
  });

  test("writes into the cache, and into it alone", () => {
    const start = tf.zeros<tf.Rank.R3>([2, 3, 2]);
    const cache = tf.variable(start);
    ops.writeCache(cache, tf.tensor2d([1, 2, 3, 4], [2, 2]), Int32Array.of(2, 0));
    expect([...cache.dataSync()]).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]);
    expect(start.dataSync().every((value) => value === 0)).toBe(true);
    cache.dispose();
  });
});

describe("log-probabilities agree with the plain definition", () => {
  test.each([
    { rows: 1, D: 1, V: 2, size: 1 },
    { rows: 5, D: 7, V: 11, size: 1 },
    { rows: 9, D: 8, V: 1501, size: 4 },
    { rows: 6, D: 5, V: 43, size: 60 },
    { rows: 9, D: 8, V: 5003, size: 20 },
  ])("$rows rows, width $D, vocabulary $V, size $size", ({ rows, D, V, size }) => {
    const [hidden, table, targets] = [matrix(rows, D, size), matrix(V, D), integers(rows, V)];
    agrees(() => {
      const asked = { entropy: true, entropyTop20: true, concentration: true };
      const facts = ops.targetLogProbs(hidden, table, targets, asked);
      return [facts.logProb, facts.entropy!, facts.entropyTop20!, facts.concentration!];
    });
    const dLogProb = Float32Array.from({ length: rows }, (_, row) => (row % 2 === 0 ? row + 0.5 : 0));
    agrees(() => {
      const result = ops.targetLogProbsGradient(hidden, table, targets, dLogProb, { needEmbedding: true });
      return [result.dHidden, result.dOutputEmbedding!];
    });
  });

  test("more rows than fit at a time give the same as each alone", () => {
    // 8 Mi logits at a time: two rows of 2^22.
    const V = 2 ** 22;
    const [hidden, table, targets] = [matrix(3, 1), matrix(V, 1), integers(3, V)];
    const together = ops.targetLogProbs(hidden, table, targets).logProb.dataSync();
    const alone = [0, 1, 2].map((row) => {
      const own = tf.slice(hidden, [row, 0], [1, 1]);
      return ops.targetLogProbs(own, table, targets.slice(row, row + 1)).logProb.dataSync()[0]!;
    });
    together.forEach((value, row) => expect(value).toBeCloseTo(alone[row]!, 5));
    tf.dispose([hidden, table]);
  });

  test.each([
    { kept: 7, live: [0, 1, 2, 3, 4, 5, 6] },
    { kept: 4, live: [0, 1, 2, 3, 4, 5, 6] },
    { kept: 4, live: [0, 1, 2, 3, 4, 5, 6], softCap: 0.5 },
    { kept: 4, live: [1, 3, 4, 6] },
    { kept: 4, live: [1, 3, 4, 6], softCap: 0.5 },
    { kept: 7, live: [2, 5] },
    { kept: 4, live: [5] },
    { kept: 4, live: [] },
  ])("logits of the first $kept rows may be kept for the gradient of rows $live", ({ kept, live, softCap }) => {
    const [hidden, table, targets] = [matrix(7, 6), matrix(90, 6), integers(7, 90)];
    const dLogProb = Float32Array.from({ length: 7 }, (_, row) => (live.includes(row) ? row - 2.5 : 0));
    const asked = { needEmbedding: true, softCap };
    const again = ops.targetLogProbsGradient(hidden, table, targets, dLogProb, asked);
    const all = ops.targetLogProbs(hidden, table, targets, { keepLogits: true, entropy: true, softCap });
    expect(all.logits!.shape).toEqual([7, 90]);
    const logits = tf.slice(all.logits!, [0, 0], [kept, 90]);
    const reused = ops.targetLogProbsGradient(hidden, table, targets, dLogProb, { ...asked, logits });
    for (const name of ["dHidden", "dOutputEmbedding"] as const) {
      const [expected, actual] = [again[name]!.dataSync(), reused[name]!.dataSync()];
      actual.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5));
    }
  });

  test("no more logits are kept than 64 MiB of them", () => {
    const [hidden, table] = [matrix(3, 1), matrix(2 ** 23, 1)];
    const { logits } = ops.targetLogProbs(hidden, table, integers(3, 9), { keepLogits: true });
    expect(logits!.shape[0]).toBe(2);
    tf.dispose([hidden, table, logits!]);
  });

  test("rows without gradient get none, and no gradient at all is zero", () => {
    const [hidden, table] = [matrix(3, 4), matrix(6, 4)];
    const none = ops.targetLogProbsGradient(hidden, table, Int32Array.of(1, 2, 3), new Float32Array(3), {
      needEmbedding: true,
    });
    for (const gradient of [none.dHidden, none.dOutputEmbedding!])
      expect(gradient.dataSync().every((value) => value === 0)).toBe(true);
  });

  test("logits of ±1e30 keep their order", () => {
    const table = tf.tensor2d([1e30, -1e30, 0], [3, 1]);
    const { logProb } = ops.targetLogProbs(tf.tensor2d([1], [1, 1]), table, Int32Array.of(0));
    expect(logProb.dataSync()[0]).toBe(0);
  });
});

describe("optimizer kernels", () => {
  const settings = {
    ...{ learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 },
    ...{ weightDecay: 0.1, step: 3, gradientScale: 0.5 },
  };

  test.each([1, 19, 1000])("AdamW on %d numbers agrees with the plain definition", (size) => {
    const [p, g, m, v] = [vector(size), vector(size), vector(size), tf.tidy(() => tf.square(vector(size)))];
    agrees(() => {
      const [P, M, V] = [p, m, v!].map((start) => tf.variable(start!));
      ops.adamwUpdate(P!, g!, M!, V!, settings);
      const results = [P!, M!, V!].map((variable) => tf.add(variable, 0));
      tf.dispose([P!, M!, V!]);
      return results;
    });
  });

  test("AdamW changes only the variable, not a tensor that shares its values", () => {
    const start = vector(5);
    const before = start.dataSync();
    const [p, m, v] = [tf.variable(start), tf.variable(tf.zeros([5])), tf.variable(tf.zeros([5]))];
    ops.adamwUpdate(p, vector(5), m, v, settings);
    expect(start.dataSync()).toEqual(before);
    expect(p.dataSync()).not.toEqual(before);
    tf.dispose([p, m, v]);
  });

  test.each([1, 6, 4096, 10_001])("sum of squares of %d numbers", (size) => {
    const x = vector(size);
    agrees(() => [ops.sumOfSquares(x)]);
  });
});
