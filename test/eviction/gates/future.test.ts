import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { makeBatch, stepBatches } from "../../../src/data/index.ts";
import { futureBatch } from "../../../src/eviction/gates/future-batch.ts";
import { futureObjective } from "../../../src/eviction/gates/future-objective.ts";
import { futurePass } from "../../../src/eviction/gates/future-pass.ts";
import { measureInputs } from "../../../src/eviction/gates/measure-inputs.ts";
import { futureTargets, type FutureTarget } from "../../../src/eviction/gates/future-objective.ts";
import { gatesFrom, type GateNetwork } from "../../../src/eviction/gates/network.ts";
import { gradientStore, loadModel, type Model } from "../../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { adamW, createLearner, optimizerStep, schedule } from "../../../src/training/index.ts";
import { datasetOf } from "../../training/reference.ts";
import { userError } from "../../user-error.ts";
import { expectClose } from "../fixture.ts";

/** Made by `test/fixtures/eviction/future.py`. */
const reference = JSON.parse(readFileSync(new URL("../../fixtures/eviction/future.json", import.meta.url), "utf8")) as {
  rows: number[][];
  roles: string[];
  taught: boolean[];
  means: number[][];
  deviations: number[][];
  runs: Record<
    FutureTarget,
    { steps: { loss: number; divergence: number; gradNorm: number }[]; final: Record<string, number[]> }
  >;
  marks: number[];
  scores: number[][];
  worth: number[][];
  cases: { target: FutureTarget; sum: number; dGates: number[][] }[];
};

const exempt = { sinks: 1, window: 2 };
const tokens = datasetOf({ ids: reference.rows, roles: reference.roles });

describe("what gates are to foresee", () => {
  const rowsOf = (roles: readonly string[], width: number) => ({
    ...{ rows: roles.length, width, lengths: Int32Array.from(roles, (role) => role.length) },
    response: Uint8Array.from(roles.flatMap((role) => [...role.padEnd(width, " ")].map((c) => Number(c === "r")))),
  });
  const marksOf = (marks: Uint8Array, width: number) =>
    Array.from({ length: marks.length / width }, (_, row) => marks.slice(row * width, (row + 1) * width).join(""));

  test("of prompts is the attention of their responses, but of the row's last token", () => {
    const batch = rowsOf(["PPPPPrrr", "PPPPrrPPr", "PPrr"], 9);
    const { queries, evictable, taught } = futureBatch(batch, 2, "prompts", exempt);
    expect(marksOf(queries, 9)).toEqual(["000001100", "000011000", "001000000"]);
    expect(marksOf(evictable, 9)).toEqual(["011000000", "010000000", "000000000"]);
    expect([...taught]).toEqual([1, 1, 0]); // the last prompt is exempt as a whole
    const dataWeights = new Float32Array(27).fill(1);
    dataWeights.fill(0, 5, 8);
    const unweighed = futureBatch({ ...batch, dataWeights }, 2, "prompts", exempt);
    expect([...unweighed.taught]).toEqual([0, 1, 0]); // nobody asks in the first row
  });

  test("of plain text is that of all tokens, on keys before their window", () => {
    const { queries, evictable, reach, taught } = futureBatch(rowsOf(["rrrrrr", "rrr"], 6), 2, "text", exempt);
    expect(marksOf(queries, 6)).toEqual(["111111", "111000"]);
    expect(marksOf(evictable, 6)).toEqual(["011100", "000000"]);
    expect([[...reach], [...taught]]).toEqual([
      [2, 2],
      [1, 0],
    ]);
  });
});

describe("the objective of gates that foresee attention", () => {
  const layout = { rows: 2, width: 5, rowIds: Float64Array.of(3, 8), endOfTurn: new Uint8Array(10) };
  const response = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 1);
  const batch = { ...layout, response };
  const shape = {
    ...{ rows: 2, width: 5, heads: 2, lengths: [5, 5], reach: Int32Array.of(1, 1), queries: response },
    ...{ evictable: Uint8Array.from(reference.marks), taught: Uint8Array.of(1, 1) },
  };
  const worth = reference.worth.map((layer) => Float32Array.from(layer));
  const at = (target: FutureTarget, scores: readonly (readonly number[])[]) =>
    futureObjective({ target }).evaluate(
      { gates: scores.map((layer) => Float32Array.from(layer)), futureAttention: worth },
      batch,
      { shape },
    );

  test.each(reference.cases)("is PyTorch's, with its gradient: $target", ({ target, sum, dGates }) => {
    const { future } = at(target, reference.scores).terms;
    expect([future!.mass, futureObjective().masses(batch, { shape })]).toEqual([2, { future: 2 }]);
    expectClose([future!.sum], [sum]);
    future!.dGates!.forEach((layer, l) => expectClose(layer, dGates[l]!));
  });

  test.each(futureTargets)("has the gradient that small steps show: %s", (target) => {
    const { dGates } = at(target, reference.scores).terms["future"]!;
    for (const [l, i] of [
      [0, 2],
      [0, 16],
      [1, 5],
      [1, 15],
    ] as const) {
      const sums = [1e-3, -1e-3].map((step) => {
        const moved = reference.scores.map((layer) => [...layer]);
        moved[l]![i]! += step;
        return at(target, moved).terms["future"]!.sum;
      });
      expect((sums[0]! - sums[1]!) / 2e-3).toBeCloseTo(dGates![l]![i]!, 3);
    }
  });

  test("has no divergence where the scores are the target's logarithms, and does not see what they share", () => {
    const known = reference.worth.map((layer) => layer.map((value) => Math.log(Math.max(value, 1e-6)) + 4));
    expect(at("peak", known).metrics["divergence"]).toBeCloseTo(0, 4);
    expect(at("peak", reference.scores).metrics["divergence"]).toBeGreaterThan(0.1);
  });

  test("leaves out rows that have nothing to learn", () => {
    const objective = futureObjective();
    const untaught = { ...shape, taught: Uint8Array.of(0, 0) };
    const signals = { gates: reference.scores.map((x) => Float32Array.from(x)), futureAttention: worth };
    const { future } = objective.evaluate(signals, batch, { shape: untaught }).terms;
    expect([future!.sum, future!.mass]).toEqual([0, 0]);
    expect(future!.dGates!.every((layer) => layer.every((x) => x === 0))).toBe(true);
  });

  test("refuses what is no number, and says where", () => {
    const broken = reference.scores.map((layer) => [...layer]);
    broken[1]![(5 + 2) * 2 + 1] = NaN;
    expect(() => at("peak", broken)).toThrow(userError("not-finite", "row 8, token 2, layer 1, head 1"));
    expect(() => futureObjective({ target: "mean" as "sum" })).toThrow(userError("invalid-option", "target"));
  });
});

describe("gates of keys and values", () => {
  let model: Model;
  beforeAll(async () => {
    await useEngine("cpu", { threads: 1, matmul: "wasm" });
    model = await loadModel(join(import.meta.dirname, "../../fixtures/training/tied"));
    for (const { variable } of model.parameters) variable.trainable = false;
  });
  afterAll(() => {
    model.dispose();
    releaseEngine();
  });

  const inputs = Array.from({ length: 3 }, (_, part) => makeBatch(tokens, [2 * part, 2 * part + 1]));

  /** With first values as in the reference, standardised by all rows. */
  async function firstGates(): Promise<GateNetwork> {
    let n = 0;
    const gates = await gatesFrom(model, { kind: "mlp", input: "key-value", inner: 5 }, (name, shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      if (/\.(bias|mean|deviation)$/.test(name)) return new Float32Array(size);
      const own = n++;
      return Float32Array.from({ length: size }, (_, i) => 0.3 * Math.sin(1 + own + 0.7 * i));
    });
    await measureInputs(model, gates, inputs, exempt);
    return gates;
  }

  test("are standardised by mean and deviation of the evictable tokens, however the rows are dealt out", async () => {
    const gates = await firstGates();
    const expected = reference.means.flatMap((mean, layer) => [mean, reference.deviations[layer]!]);
    for (const [i, { variable }] of gates.constants.entries())
      expectClose(await variable.data<"float32">(), expected[i]!);
    expect(await measureInputs(model, gates, [makeBatch(tokens, [4])], exempt)).toBe(0); // nothing may be evicted
    expectClose(await gates.constants[0]!.variable.data<"float32">(), expected[0]!);
    gates.dispose();
  });

  const ways = [
    ["peak", { batchSize: 4 }],
    ["peak", { batchSize: 4, microBatchSize: 1 }],
    ["sum", { batchSize: 4, microBatchSize: 2 }],
    ["log-sum", { batchSize: 4, microBatchSize: 3 }],
  ] as const;
  test.each(ways)("train as in PyTorch: %s, %p", async (target, order) => {
    const before = tf.memory().numTensors;
    const gates = await firstGates();
    const optimizer = adamW(gates.parameters, { weightDecay: 0.1 });
    const rate = schedule({ kind: "cosine", learningRate: 0.03, totalSteps: 12 });
    const learner = createLearner(
      {
        pass: (batch, gradients) => futurePass(model, gates, batch, { ...exempt, target, gradients }),
        startStep: () => undefined,
      },
      { optimizer, schedule: rate, clipNorm: 0 },
    );
    const { steps, final } = reference.runs[target];
    for (const [step, expected] of steps.entries()) {
      const batches = stepBatches(tokens, { seed: 1, shuffle: false, ...order }, step).map((batch) => ({
        batch,
        aux: { shape: futureBatch(batch, model.config.keyValueHeads, "prompts", exempt) },
      }));
      const mass = batches.reduce((sum, { aux }) => sum + aux.shape.taught.reduce((a, b) => a + b, 0), 0);
      const { loss, gradNorm, metrics } = await optimizerStep(learner, step, batches, futureObjective({ target }));
      const divergence = metrics.reduce((sum, part) => sum + part["divergence"]!, 0) / mass;
      expectClose([loss, divergence, gradNorm], [expected.loss, expected.divergence, expected.gradNorm], 2e-5);
    }
    for (const { name, variable } of gates.parameters)
      if (!name.endsWith(".bias")) expectClose(await variable.data<"float32">(), final[name]!, 1e-4);
    [optimizer, gates].forEach((each) => each.dispose());
    expect(tf.memory().numTensors).toBe(before);
  });

  test("see the same in a packed or padded row as in the row alone", async () => {
    const gates = await firstGates();
    const read = async (rows: readonly number[]) => {
      const batch = makeBatch(tokens, rows);
      using pass = futurePass(model, gates, batch, { ...exempt, gradients: null });
      return { width: batch.width, ...(await pass.read(["gates", "futureAttention"])) };
    };
    const [alone, together] = [await read([1]), await read([0, 1, 2])];
    for (const signal of ["gates", "futureAttention"] as const)
      for (const layer of [0, 1]) {
        const own = together[signal][layer]!.slice(together.width * 2, together.width * 2 + alone.width * 2);
        expectClose(own, alone[signal][layer]!);
      }
    gates.dispose();
  });

  test("take one gradient, on their scores alone", async () => {
    const gates = await firstGates();
    const batch = makeBatch(tokens, [0]);
    const dGates = [0, 1].map(() => new Float32Array(batch.rows * batch.width * 2).fill(0.1));
    using reading = futurePass(model, gates, batch, { ...exempt, gradients: null });
    expect(() => reading.backward({ gates: dGates })).toThrow("without gradients");
    const gradients = gradientStore();
    using pass = futurePass(model, gates, batch, { ...exempt, gradients });
    expect(() => pass.backward({ logProb: new Float32Array(16) })).toThrow("logProb");
    pass.backward({ gates: dGates });
    expect(() => pass.backward({ gates: dGates })).toThrow("once");
    expect(
      gates.parameters.filter(({ variable }) => gradients.get(variable) === undefined).map(({ name }) => name),
    ).toEqual(
      ["gates.0.bias", "gates.1.bias"], // shared by all tokens, it ranks none
    );
    gradients.clear();
    gates.dispose();
  });
});
