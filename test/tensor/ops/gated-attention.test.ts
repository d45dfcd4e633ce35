import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import {
  gatedAttention,
  prefixAttention,
  withPlainDefinitions,
  type GatedAttentionOptions,
} from "../../../src/tensor/ops/index.ts";
import { engineListings } from "../../engines-here.ts";
import { matrix, reference } from "../../eviction/gates/reference.ts";
import { usePlainBackend } from "../backend.ts";
import { expectClose, normal, valuesAndGradients } from "../compare.ts";

const { heads, keyValueHeads } = reference;
const starts = Int32Array.from(reference.starts);
const reach = Int32Array.from(reference.reach);
type Inputs = Record<"q" | "k" | "v" | "gates", tf.Tensor2D>;

function attended(inputs: Inputs, dy: tf.Tensor2D, options: GatedAttentionOptions) {
  return valuesAndGradients(inputs, dy, (given) => {
    const { q, k, v, gates } = given as unknown as Inputs;
    return { output: gatedAttention(q, k, v, gates, options) };
  });
}

const engines = engineListings.filter(({ available }) => available);

describe.each<[string, () => Promise<unknown>]>([
  ["TensorFlow.js' cpu backend", usePlainBackend],
  ...engines.map(({ name }): [string, () => Promise<unknown>] => [
    `the ${name} engine`,
    () => useEngine(name, { threads: 2 }),
  ]),
])("on %s, as PyTorch", (_, start) => {
  beforeAll(async () => void (await start()));
  afterAll(releaseEngine);

  test.each(reference.cases.map((each) => [each.name, each] as const))("gated attention: %s", async (_, each) => {
    const inputs = { q: matrix(each.q), k: matrix(each.k), v: matrix(each.v), gates: matrix(each.gates) };
    const evictable = Uint8Array.from(each.evictable);
    const dy = matrix(each.dy);
    const before = tf.memory().numTensors;
    const found = await attended(inputs, dy, { starts, heads, keyValueHeads, evictable, reach });
    expectClose(found, each.expected);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([inputs, dy]);
  });

  test("prefix attention", async () => {
    const { q, k, v, dy, until, expected, heads } = reference.prefix;
    const inputs = { q: matrix(q), k: matrix(k), v: matrix(v) };
    const options = { starts, heads, until: Int32Array.from(until) };
    const given = matrix(dy);
    const before = tf.memory().numTensors;
    const found = await valuesAndGradients(inputs, given, (x) => ({
      output: prefixAttention(x.q as tf.Tensor2D, x.k as tf.Tensor2D, x.v as tf.Tensor2D, options),
    }));
    expectClose(found, expected);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([inputs, given]);
  });
});

test("the cpu engine's kernel is the plain definition on rows that it works on in several blocks", async () => {
  await useEngine("cpu", { threads: 2 });
  const starts = Int32Array.of(0, 130, 130, 136, 140);
  const random = (name: string, columns: number) => matrix(normal(name, 140 * columns), 140);
  const gates = matrix(
    normal("gates", 140).map((x) => Math.min(1, Math.max(0, x))),
    140,
  );
  const inputs = { q: random("q", 10), k: random("k", 5), v: random("v", 5), gates };
  const evictable = Uint8Array.from({ length: 140 }, (_, i) => Number(i % 5 > 0));
  const options = { starts, heads: 2, keyValueHeads: 1, evictable, reach: Int32Array.of(1, 1, 4, 7) };
  const dy = random("dy", 10);
  const before = tf.memory().numTensors;
  const found = await attended(inputs, dy, options);
  expect(tf.memory().numTensors).toBe(before);
  expectClose(found, await withPlainDefinitions(() => attended(inputs, dy, options)));
  releaseEngine();
});

describe("gated attention", () => {
  const T = 6;
  const one = { starts: Int32Array.of(0, T), heads: 1, keyValueHeads: 1, reach: Int32Array.of(1) };
  const all = new Uint8Array(T).fill(1);
  const named = (name: string, columns: number) => matrix(normal(name, T * columns), T);
  const inputs = (gates: number[]): Inputs => ({
    q: named("q", 4),
    k: named("k", 4),
    v: named("v", 4),
    gates: matrix(gates, T),
  });
  const output = async (given: Inputs, evictable = all): Promise<Float32Array> =>
    gatedAttention(given.q, given.k, given.v, given.gates, { ...one, evictable }).data<"float32">();
  beforeAll(usePlainBackend);

  test("moves by p / (1 - p) (o - v_j) when key j is evicted", async () => {
    const kept = inputs([1, 1, 1, 1, 1, 1]);
    const before = await output(kept);
    const after = await output({ ...kept, gates: matrix([1, 1, 0, 1, 1, 1], T) });
    const [q, k, v] = [kept.q, kept.k, kept.v].map((x) => x.arraySync() as number[][]);
    for (let i = 0; i < T; i++) {
      const e = k!.slice(0, i + 1).map((key) => Math.exp(key.reduce((sum, x, d) => sum + x * q![i]![d]!, 0) / 2));
      const p = i <= 2 ? 0 : e[2]! / e.reduce((a, b) => a + b); // every query sees its own key
      for (let d = 0; d < 4; d++) {
        const o = before[i * 4 + d]!;
        expect(after[i * 4 + d]).toBeCloseTo(o + (p / (1 - p)) * (o - v![2]![d]!), 5);
      }
    }
  });

  test("has on soft gates the gradient that finite differences show", async () => {
    const gates = [0.3, 0.9, 0.05, 0.6, 0.5, 0.8];
    const cotangent = normal("dy", T * 4);
    const loss = async (values: number[]) =>
      (await output(inputs(values))).reduce((sum, o, i) => sum + o * cotangent[i]!, 0);
    const { dgates } = await attended(inputs(gates), matrix(cotangent, T), { ...one, evictable: all });
    for (let j = 0; j < T; j++) {
      const step = 1e-2;
      const moved = (by: number) => loss(gates.map((gate, i) => (i === j ? gate + by : gate)));
      expect(dgates![j]).toBeCloseTo(((await moved(step)) - (await moved(-step))) / (2 * step), 2);
    }
    expect(dgates!.subarray(0, T - 1).every((d) => d !== 0)).toBe(true);
  });

  test("has at an evicted key the step that the output makes when that key alone comes back", async () => {
    const cotangent = normal("dy", T * 4);
    const gates = [0, 1, 0, 0, 1, 0];
    for (const scale of [1, 6]) {
      const given = inputs(gates);
      const larger = { ...given, q: tf.mul<tf.Tensor2D>(given.q, scale), k: tf.mul<tf.Tensor2D>(given.k, scale) };
      const loss = async (values: number[]) =>
        (await output({ ...larger, gates: matrix(values, T) })).reduce((sum, o, i) => sum + o * cotangent[i]!, 0);
      const { dgates } = await attended(larger, matrix(cotangent, T), { ...one, evictable: all });
      const most =
        cotangent.reduce((sum, x) => sum + Math.abs(x), 0) * 2 * Math.max(...normal("v", T * 4).map(Math.abs));
      for (let j = 0; j < T; j++) {
        if (gates[j] === 1) continue;
        const back = (await loss(gates.map((gate, i) => (i === j ? 1 : gate)))) - (await loss(gates));
        expect(dgates![j]).toBeCloseTo(back, 4);
        expect(Math.abs(dgates![j]!)).toBeLessThan(most); // the slope is of any size: 1e6 has been seen in training
      }
    }
  });

  test("stays finite where all of a query's attention was on an evicted key", async () => {
    const given = inputs([0, 1, 1, 1, 1, 1]);
    const k = given.k.arraySync().map((row, j) => row.map((x) => (j === 0 ? 0 : x)));
    k[0] = [400, 0, 0, 0];
    const q = given.q.arraySync().map((row) => [10, ...row.slice(1)]);
    const extreme = { ...given, k: tf.tensor2d(k), q: tf.tensor2d(q) };
    const found = await attended(extreme, named("dy", 4), { ...one, evictable: all });
    for (const values of Object.values(found)) expect(values.every(Number.isFinite)).toBe(true);
    expect(found.dgates![0]).not.toBe(0);
  });

  test("does not read the gates of tokens that are not evictable", async () => {
    const evictable = Uint8Array.of(1, 0, 1, 1, 1, 1);
    const found = await attended(inputs([1, NaN, 0, 1, 1, 1]), named("dy", 4), { ...one, evictable });
    const expected = await attended(inputs([1, 1, 0, 1, 1, 1]), named("dy", 4), { ...one, evictable });
    expect(found).toEqual(expected);
    expect(found.dgates![1]).toBe(0);
  });

  test("refuses gates and layouts that do not fit", () => {
    const { q, k, v, gates } = inputs([1, 1, 1, 1, 1, 1]);
    const given = { ...one, evictable: all };
    const run = (options: object) => () => gatedAttention(q, k, v, gates, { ...given, ...options });
    expect(() => gatedAttention(q, k, v, q, given)).toThrow("gates has shape [6, 4], expected [6, 1]");
    expect(run({ evictable: new Uint8Array(5) })).toThrow("evictable has 5 entries, expected 6");
    expect(run({ reach: Int32Array.of(0) })).toThrow("reach[0] is 0");
    expect(run({ starts: Int32Array.of(0, 5) })).toThrow("starts must rise from 0");
  });
});
