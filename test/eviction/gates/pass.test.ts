import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../../../src/contract/index.ts";
import { createGates, type GateNetwork } from "../../../src/eviction/gates/index.ts";
import { gatedPass } from "../../../src/eviction/gates/gated-pass.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import { packedExemptions, promptExemptions } from "../../../src/eviction/gates/layout.ts";
import type { GatedPassOptions } from "../../../src/eviction/gates/gated-pass.ts";
import { decideGates } from "../../../src/eviction/index.ts";
import { exemptTokens } from "../../../src/eviction/exemptions.ts";
import type { Relaxation } from "../../../src/eviction/gate-decision.ts";
import { gateNoise, relaxGates } from "../../../src/eviction/gates/relax.ts";
import { forward, type GradientStore, gradientStore, loadModel, type Model } from "../../../src/model/index.ts";
import { packTokens } from "../../../src/model/packing.ts";
import { normalValues, stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { recordTape } from "../../../src/tensor/tape.ts";

let model: Model;
beforeAll(async () => {
  await useEngine("cpu", { threads: 2 });
  model = await loadModel(join(import.meta.dirname, "../../../models/tiny"));
});
afterAll(() => {
  model.dispose();
  releaseEngine();
});

/** Rows of random ids whose last `answer` tokens are the response; padded with one column more than needed. */
function batchOf(lengths: number[], answer = 5): TokenBatch {
  const [rows, width] = [lengths.length, Math.max(...lengths) + 1];
  const random = stream("gated pass");
  const real = (fill: (row: number, t: number) => number) =>
    Array.from({ length: rows * width }, (_, i) => {
      const [row, t] = [Math.floor(i / width), i % width];
      return t < lengths[row]! ? fill(row, t) : 0;
    });
  return {
    rows,
    width,
    rowIds: Float64Array.from(lengths, (_, row) => 100 + row),
    ids: Int32Array.from(real(() => 4 + random.below(240))),
    lengths: Int32Array.from(lengths),
    response: Uint8Array.from(real((row, t) => Number(t >= lengths[row]! - answer))),
    endOfTurn: new Uint8Array(rows * width),
    columns: {},
  };
}

const batch = batchOf([40, 26, 33]);
const small = { sinks: 2, window: 4 };

/** Gates that differ from token to token: large weights, no bias. */
function mixedGates(): Promise<GateNetwork> {
  return gatesFrom(model, { kind: "linear" }, (name, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return name.endsWith("bias") ? new Float32Array(size) : normalValues(size, 0.5, stream(name));
  });
}

async function run(gates: GateNetwork | undefined, given: TokenBatch, options: GatedPassOptions = {}) {
  const attention = gates && gatedPass(model, gates, options);
  using pass = forward(model, given, { gradients: null, ...(attention && { attention }) });
  const { logProb } = await pass.read(["logProb"]);
  return { logProb, gates: gates ? (await pass.read(["gates"])).gates : [] };
}

describe("a pass under gates", () => {
  test("is exactly the model's as long as hard gates keep everything", async () => {
    const gates = await createGates(model);
    const without = await run(undefined, batch);
    const { logProb } = await run(gates, batch);
    logProb.forEach((value, i) => expect(Math.abs(value - without.logProb[i]!)).toBeLessThan(1e-4));
    const soft = await run(gates, batch, { relaxation: "soft" });
    expect(soft.logProb.some((value, i) => Math.abs(value - without.logProb[i]!) > 1e-4)).toBe(true);
    gates.dispose();
  });

  test("gives each row what it gives it alone", async () => {
    const gates = await mixedGates();
    for (const options of [small, { ...small, relaxation: "gumbel", noise: { seed: 1 } } as const]) {
      const together = await run(gates, batch, options);
      const alone = batchOf([40]);
      const first = await run(gates, { ...alone, ids: batch.ids.slice(0, 41) }, options);
      for (let t = 0; t < 40; t++) expect(first.logProb[t]).toBeCloseTo(together.logProb[t]!, 4);
      for (let layer = 0; layer < 4; layer++)
        for (let i = 0; i < 80; i++) expect(first.gates[layer]![i]).toBeCloseTo(together.gates[layer]![i]!, 4);
    }
    gates.dispose();
  });

  test("evicts, but never what is exempt: with everything exempt it is the model's own", async () => {
    const gates = await mixedGates();
    const without = await run(undefined, batch);
    const evicting = await run(gates, batch, small);
    expect(evicting.logProb.some((value, i) => Math.abs(value - without.logProb[i]!) > 1e-2)).toBe(true);
    const exempt = await run(gates, batch, { sinks: 40 });
    exempt.logProb.forEach((value, i) => expect(value).toBeCloseTo(without.logProb[i]!, 4));
    gates.dispose();
  });

  test.each<[Relaxation]>([["straight-through"], ["gumbel"]])(
    "carries both gradients to the gates, that of the loss and that on the probabilities: %s",
    async (relaxation) => {
      const gates = await mixedGates();
      const dLogProb = batch.response.map((mark, i) => (mark && i % 41 > 0 ? -1 : 0));
      const dGates = Array.from({ length: 4 }, () => new Float32Array(batch.rows * batch.width * 2).fill(0.5));
      const before = tf.memory().numTensors;
      const gradientsOf = async (gradient: object) => {
        const gradients = gradientStore();
        using pass = forward(model, batch, { gradients, attention: gatedPass(model, gates, { ...small, relaxation }) });
        await pass.read(["gates"]);
        pass.backward(gradient);
        const found = gates.parameters.map(({ variable }) => Float32Array.from(gradients.get(variable)!.dataSync()));
        gradients.clear();
        return found;
      };
      const [loss, eviction] = [
        await gradientsOf({ logProb: Float32Array.from(dLogProb) }),
        await gradientsOf({ gates: dGates }),
      ];
      const both = await gradientsOf({ logProb: Float32Array.from(dLogProb), gates: dGates });
      expect(tf.memory().numTensors).toBe(before);
      both.forEach((gradient, p) => {
        expect(gradient.some((x) => x !== 0)).toBe(true);
        gradient.forEach((x, i) => expect(Math.abs(x - loss[p]![i]! - eviction[p]![i]!)).toBeLessThan(1e-3));
      });
      gates.dispose();
    },
  );

  test("diverges from the model without gates where it evicts, by a gradient that finite differences confirm", async () => {
    const gates = await mixedGates();
    const options = { ...small, relaxation: "soft" } as const;
    const divergence = async (gradients: GradientStore | null, given: GatedPassOptions = options) => {
      const attention = gatedPass(model, gates, given);
      using pass = forward(model, batch, { gradients, attention, forwardKl: { reference: model } });
      const { forwardKl } = await pass.read(["forwardKl"]);
      if (gradients) pass.backward({ forwardKl: forwardKl.map((_, i) => batch.response[i]!) });
      return forwardKl.reduce((sum, value, i) => sum + (batch.response[i] ? value : 0), 0);
    };
    expect(Math.abs(await divergence(null, { ...options, sinks: 40 }))).toBeLessThan(1e-4); // everything is exempt
    const gradients = gradientStore();
    expect(await divergence(gradients)).toBeGreaterThan(0.1);
    for (const { variable } of gates.parameters.filter(({ name }) => name.endsWith("bias"))) {
      const [at, analytic] = [variable.dataSync<"float32">().slice(), gradients.get(variable)!.dataSync<"float32">()];
      const moved = async (by: number) => {
        variable.assign(
          tf.tensor(
            at.map((value) => value + by),
            variable.shape,
          ),
        );
        return divergence(null);
      };
      const numeric = ((await moved(0.02)) - (await moved(-0.02))) / 0.04;
      variable.assign(tf.tensor(at, variable.shape));
      const sum = analytic.reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - numeric)).toBeLessThan(1e-3 + 0.01 * Math.abs(numeric));
    }
    gradients.clear();
    gates.dispose();
  });

  test("refuses gradients on gates that it does not have", async () => {
    using pass = forward(model, batch, { gradients: gradientStore() });
    await pass.read(["logProb"]);
    expect(() => pass.backward({ gates: [] })).toThrow("gates");
  });
});

describe("gates decided on the engine", () => {
  const evictable = new Uint8Array(6).fill(1);
  const rows = { rows: 2, width: 3, heads: 2, lengths: [3, 3], evictable, rowIds: Float64Array.of(9, 4) };
  const p = Float32Array.of(0, 1e-4, 0.2, 0.5, 0.7, 1, 0.51, 0.49, 0.9, 0.999, 0.3, 0.6);
  const dy = Float32Array.from(p.keys(), (i) => Math.cos(i));

  test.each<[Relaxation]>([["straight-through"], ["soft"], ["gumbel"]])("as on the host: %s", async (relaxation) => {
    const options = { relaxation, noise: { seed: 2, step: 3, layer: 1 } };
    const host = decideGates(p, rows, options);
    const variable = tf.variable(tf.tensor2d(p, [6, 2]));
    const noise = gateNoise({ rowIds: rows.rowIds, starts: Int32Array.of(0, 3, 6) }, 2, options.noise);
    const tape = recordTape(() => relaxGates(variable as tf.Tensor2D, options, noise));
    const value = await tape.result.data();
    value.forEach((each, i) => expect(each).toBeCloseTo(host.value[i]!, 5));
    const gradients: Float32Array[] = [];
    tape.backward([[tape.result, tf.tensor2d(dy, [6, 2])]], (_, gradient) => {
      gradients.push(gradient.dataSync<"float32">());
    });
    host.backward(dy).forEach((each, i) => expect(gradients[0]![i]).toBeCloseTo(each, 4));
  });
});

describe("the exemptions of packed rows", () => {
  const packed = packTokens(batch);

  test("are those of the batch, in packed order", () => {
    const expected = exemptTokens(batch, batch.response, small);
    const found = packedExemptions(packed, batch, "prompts", small);
    expect([...found.evictable]).toEqual(Array.from(packed.slots, (slot) => expected.evictable[slot]));
    expect([...found.reach]).toEqual([1, 1, 1]);
    const text = packedExemptions(packed, batch, "text", small);
    expect([...text.reach]).toEqual([4, 4, 4]);
  });

  test("let global gates see the prompt, never the response that it is answered with", () => {
    const { until } = packedExemptions(packed, batch, "prompts", small);
    expect([...until.subarray(0, 40)]).toEqual([...Array<number>(35).fill(35), 36, 37, 38, 39, 40]);
    const text = packedExemptions(packed, batch, "text", small);
    expect([...text.until.subarray(0, 40)]).toEqual(Array.from({ length: 40 }, (_, t) => t + 1));
  });

  test("of a prompt are those it has in training", () => {
    const trained = packedExemptions(packed, batch, "prompts", small);
    const prompt = promptExemptions(35, small);
    expect([...prompt.evictable]).toEqual([...trained.evictable.subarray(0, 35)]);
    expect([...prompt.until]).toEqual([...trained.until.subarray(0, 35)]);
    expect([...prompt.reach]).toEqual([1]);
    expect(prompt.evictable.reduce((a, b) => a + b)).toBe(35 - 2 - 4);
  });
});
