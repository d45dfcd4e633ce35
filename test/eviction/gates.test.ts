import { describe, expect, test } from "@jest/globals";
import { decideGates } from "../../src/eviction/index.ts";
import { exemptTokens } from "../../src/eviction/exemptions.ts";
import type { GateOptions } from "../../src/eviction/gate-decision.ts";
import { userError } from "../user-error.ts";
import { expectClose, fixture, shape, widen } from "./fixture.ts";
import { gatedWeights, gatedWeightsGradient, isGated } from "./gated-weights.ts";

const { rows, width, heads, headSize, lengths } = fixture;
const response = Uint8Array.from(fixture.response);
const exemptions = exemptTokens(shape, response, fixture);
const batch = { ...shape, evictable: exemptions.evictable, rowIds: Float64Array.from(fixture.rowIds) };
const probability = Float32Array.from(fixture.probability);
const one = (p: number[], evictable = p.map(() => 1)) =>
  [
    Float32Array.from(p),
    { rows: 1, width: p.length, heads: 1, lengths: [p.length], evictable: Uint8Array.from(evictable) },
  ] as const;

/** Loss `Σ cotangent · output` over all queries, and its gradient on the gate values. */
function throughAttention(value: Float32Array): { loss: number; dValue: Float32Array } {
  const dValue = new Float32Array(value.length);
  let loss = 0;
  for (let b = 0; b < rows; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < lengths[b]!; i++) {
        const a = fixture.attention[b]![h]![i]!;
        const at = (t: number) => (b * width + t) * heads + h;
        const open = a.map((_, j) => isGated(exemptions, width, b, i, j));
        const gates = open.map((gated, j) => (gated ? value[at(j)]! : 1));
        const dWeights = a.map((_, j) => {
          let dot = 0;
          for (let d = 0; d < headSize; d++)
            dot += fixture.values[at(j) * headSize + d]! * fixture.cotangent[at(i) * headSize + d]!;
          return dot;
        });
        gatedWeights(a, gates).forEach((w, j) => (loss += w * dWeights[j]!));
        gatedWeightsGradient(a, gates, dWeights).forEach((d, j) => {
          if (open[j]) dValue[at(j)]! += d;
        });
      }
    }
  }
  return { loss, dValue };
}

describe("exempt tokens", () => {
  const text = (marks: string, options = {}, plain = false) => {
    const lengths = [marks.trimEnd().length];
    const response = plain ? undefined : Uint8Array.from(marks, (mark) => Number(mark === "r"));
    const { evictable, reach } = exemptTokens({ rows: 1, width: marks.length, lengths }, response, options);
    return [evictable.join(""), reach[0]];
  };

  test("are those of the reference: two turns, one turn, plain text", () => {
    expect([...exemptions.evictable]).toEqual(fixture.evictable);
    expect([...exemptions.reach]).toEqual([1, 1, 3]);
  });

  test("are sinks, the end of the prompt and the response; padding is never evictable", () => {
    expect(text("PPPPPPrr  ", { sinks: 1, window: 2 })).toEqual(["0111000000", 1]);
  });

  test("hold a window before every turn's response", () => {
    expect(text("PPPPrPPPPr", { sinks: 0, window: 1 })).toEqual(["1110011100", 1]);
  });

  test("of plain text are those that no query sees from beyond the window, which slides", () => {
    expect(text("pppppppp  ", { sinks: 1, window: 3 }, true)).toEqual(["0111100000", 3]);
  });

  test("always hold the own token, even without a window", () => {
    expect(text("pppp", { sinks: 0, window: 0 }, true)).toEqual(["1110", 1]);
    const found = exemptTokens({ rows: 1, width: 3, lengths: [3] }, Uint8Array.of(0, 0, 1), { sinks: 0, window: 0 });
    expect([0, 1, 2].map((t) => isGated(found, 3, 0, t, t))).toEqual([false, false, false]);
    expect(isGated(found, 3, 0, 2, 1)).toBe(true);
  });

  test("are 4 sinks and a window of 16 unless told", () => {
    const { evictable } = exemptTokens({ rows: 1, width: 30, lengths: [30] });
    expect([...evictable.keys()].filter((t) => evictable[t])).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  test("of a row shorter than sinks and window are all of it", () => {
    expect(text("ppppppppp", {}, true)[0]).toBe("000000000");
    expect(text("PPPPPPPPPr")[0]).toBe("0000000000");
  });

  test("refuse what does not fit", () => {
    expect(() => exemptTokens({ rows: 1, width: 3, lengths: [4] })).toThrow(
      userError("wrong-shape", "row 0: The length is 4"),
    );
    expect(() => exemptTokens({ rows: 1, width: 3, lengths: [3] }, new Uint8Array(2))).toThrow(
      userError("wrong-shape", "2 entries instead of 3"),
    );
    expect(() => exemptTokens({ rows: 1, width: 3, lengths: [3] }, undefined, { sinks: -1 })).toThrow(
      userError("invalid-option", "sinks"),
    );
  });
});

describe("gate decisions", () => {
  test.each(fixture.decisions)("equal PyTorch through attention: $options", ({ options, ...expected }) => {
    const decision = decideGates(probability, batch, options);
    expectClose(decision.value, expected.value);
    const { loss, dValue } = throughAttention(decision.value);
    expect(loss).toBeCloseTo(expected.loss, 4);
    expectClose(decision.backward(dValue), expected.dProbability);
  });

  test("keep what lies above the threshold, not what lies on it", () => {
    const [p, ones] = one([0.25, 0.5, 0.5000001, 0.75]);
    expect([...decideGates(p, ones).keep]).toEqual([0, 0, 1, 1]);
    expect([...decideGates(p, ones, { threshold: 0.2 }).keep]).toEqual([1, 1, 1, 1]);
    expect([...decideGates(p, ones, { threshold: 0 }).value]).toEqual([1, 1, 1, 1]);
  });

  test("keep exempt tokens whatever their probability, and give them no gradient", () => {
    const [p, ones] = one([0, 0, 0], [0, 1, 0]);
    for (const relaxation of ["straight-through", "soft", "gumbel"] as const) {
      const { keep, value, backward } = decideGates(p, ones, { relaxation, floor: 0 });
      expect([...keep]).toEqual([1, 0, 1]);
      expect([...value]).toEqual([1, 0, 1]);
      expect(backward(Float32Array.of(5, 5, 5))[0]).toBe(0);
    }
  });

  test("store no padding, yet leave its queries something to attend to", () => {
    const p = Float32Array.of(0.9, NaN);
    const padded = { rows: 1, width: 2, heads: 1, lengths: [1], evictable: Uint8Array.of(1, 0) };
    const { keep, value, backward } = decideGates(p, padded);
    expect([[...keep], [...value]]).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect([...backward(Float32Array.of(2, NaN))]).toEqual([2, 0]);
  });

  test("at a probability of .99 leave the model as it is when hard, and move it a little when soft", () => {
    const gates = new Float32Array(rows * width * heads).fill(0.99);
    const whole = throughAttention(new Float32Array(gates.length).fill(1)).loss;
    expect(throughAttention(decideGates(gates, batch).value).loss).toBe(whole);
    const moved = Math.abs(throughAttention(decideGates(gates, batch, { relaxation: "soft" }).value).loss - whole);
    expect(moved).toBeGreaterThan(1e-4);
    expect(moved).toBeLessThan(0.1);
  });

  test("give straight-through the gradient of the soft gate at the hard values, without the floor that blocks it at 0", () => {
    const hard = decideGates(probability, batch);
    const { dValue } = throughAttention(hard.value);
    const soft = (floor: number) => decideGates(hard.value, batch, { relaxation: "soft", floor });
    expect([...hard.backward(dValue)]).toEqual([...soft(0).backward(dValue)]);
    const clamped = soft(1e-3).backward(dValue);
    const evicted = [...hard.keep.keys()].filter((i) => batch.evictable[Math.floor(i / heads)] && !hard.keep[i]);
    expect(evicted.length).toBeGreaterThan(3);
    for (const i of evicted) {
      expect(clamped[i]).toBe(0);
      expect(hard.backward(dValue)[i]).not.toBe(0);
    }
  });

  test.each([{ relaxation: "soft" }, { relaxation: "gumbel" }] as GateOptions[])(
    "have the slope of their own finite differences: $relaxation",
    (options) => {
      for (const p of [0.07, 0.4, 0.9]) {
        const value = (x: number) => decideGates(...one([x]), options).value[0]!;
        const step = 2 ** -9;
        const difference = (value(p + step) - value(p - step)) / (2 * step);
        expect(decideGates(...one([p]), options).backward(Float32Array.of(1))[0]).toBeCloseTo(difference, 2);
      }
    },
  );

  test("stay finite where the sigmoid has saturated", () => {
    const [p, ones] = one([0, 1, 1e-40, 1 - 2 ** -24]);
    const { value, backward } = decideGates(p, ones, { relaxation: "gumbel", temperature: 0.05 });
    expect([...value, ...backward(new Float32Array(4).fill(1))].every(Number.isFinite)).toBe(true);
    expect([value[0], value[1]]).toEqual([0, 1]);
  });

  test("draw noise that keeps as many as the probabilities say, and another at each step and layer", () => {
    const [p, ones] = one(new Array<number>(4000).fill(0.3));
    const draw = (noise: object) => decideGates(p, ones, { relaxation: "gumbel", temperature: 0.1, noise }).value;
    // P(value > 1/2) = P(logit u > -logit p) = p; standard deviation sqrt(.21 / 4000) = .0072
    expect(draw({ seed: 1 }).filter((v) => v > 0.5).length / 4000).toBeCloseTo(0.3, 1);
    expect(draw({ seed: 1, step: 2 })).toEqual(draw({ seed: 1, step: 2 }));
    for (const other of [
      { seed: 2, step: 2 },
      { seed: 1, step: 3 },
      { seed: 1, step: 2, layer: 1 },
    ])
      expect(draw(other)).not.toEqual(draw({ seed: 1, step: 2 }));
  });

  test.each(fixture.decisions)("do not depend on padding or on the other rows: $options", ({ options }) => {
    const wide = { ...batch, width: 20, evictable: widen(batch.evictable, shape, 20, 0) };
    const whole = decideGates(probability, batch, options);
    const padded = decideGates(widen(probability, shape, 20, NaN), wide, options);
    expect(padded.value).toEqual(widen(whole.value, shape, 20, 1));
    const [from, length] = [width, lengths[1]!];
    const alone = { rows: 1, width: length, heads, lengths: [length], rowIds: batch.rowIds.slice(1, 2) };
    const row = <A extends Float32Array | Uint8Array>(x: A, each: number) =>
      x.slice(from * each, (from + length) * each) as A;
    const single = decideGates(row(probability, heads), { ...alone, evictable: row(batch.evictable, 1) }, options);
    expect(single.value).toEqual(row(whole.value, heads));
  });

  test("refuse what is no probability, and say where", () => {
    for (const bad of [NaN, -0.1, 1.5]) {
      const p = probability.slice();
      p[(1 * width + 2) * heads + 1] = bad;
      expect(() => decideGates(p, batch)).toThrow(
        userError("not-finite", `row 1, token 2, head 1: The gate probability is ${bad}`),
      );
    }
    const refused = (options: object) => () => decideGates(probability, batch, options);
    expect(refused({ threshold: 1 })).toThrow(userError("invalid-option", "threshold"));
    expect(refused({ relaxation: "hard" })).toThrow(
      userError("invalid-option", /relaxation .*straight-through, soft, gumbel/),
    );
    expect(refused({ temperature: 0 })).toThrow(userError("invalid-option", "temperature"));
    expect(refused({ floor: -1 })).toThrow(userError("invalid-option", "floor"));
  });
});

describe("attention behind gates", () => {
  const a = [0.4, 0.3, 0.2, 0.1];
  const v = [2, -1, 5, 0.5];
  const output = (gates: number[]) => gatedWeights(a, gates).reduce((sum, w, j) => sum + w * v[j]!, 0);

  test("moves by w/(1-w) (o - v) when a kept key is evicted", () => {
    for (const gates of [
      [1, 1, 1, 1],
      [0, 1, 1, 1],
      [1, 0, 1, 1],
    ]) {
      const [w, o] = [gatedWeights(a, gates), output(gates)];
      gates.forEach((gate, j) => {
        if (gate === 0) return;
        const without = gates.map((g, k) => (k === j ? 0 : g));
        expect(output(without) - o).toBeCloseTo((w[j]! / (1 - w[j]!)) * (o - v[j]!), 12);
      });
    }
  });

  test("gives an evicted key the finite gradient a/Z (v - o), which no added logarithm and no mask has", () => {
    const gates = [1, 0, 1, 0];
    const gradient = gatedWeightsGradient(a, gates, v);
    // Z = .4 + .2, o = (.8 + 1) / .6 = 3; so .3 / .6 (-1 - 3) = -2 and .1 / .6 (.5 - 3)
    expect(gradient[1]).toBeCloseTo(-2, 12);
    expect(gradient[3]).toBeCloseTo(-0.25 / 0.6, 12);
  });

  test("ignores whatever an evicted key would have drawn, an infinite gradient included", () => {
    expect(gatedWeightsGradient(a, [1, 0, 1, 0], [1, Infinity, 1, 1])[0]).toBeCloseTo(0, 12);
  });

  test("has the gradient of its own finite differences at soft gates", () => {
    const gates = [0.9, 0.2, 0.6, 1];
    gatedWeightsGradient(a, gates, v).forEach((slope, j) => {
      const moved = (step: number) => output(gates.map((g, k) => (k === j ? g + step : g)));
      expect(slope).toBeCloseTo((moved(1e-6) - moved(-1e-6)) / 2e-6, 7);
    });
  });

  test("breaks when a sink is evicted, which is why sinks are exempt", () => {
    const withSink = [0.9, 0.04, 0.03, 0.03];
    // all gates shut: only exempt keys and the query's own are left
    const left = (sinks: number) => {
      const found = exemptTokens({ rows: 1, width: 4, lengths: [4] }, Uint8Array.of(0, 0, 0, 1), { sinks, window: 0 });
      return gatedWeights(
        withSink,
        withSink.map((_, j) => Number(!isGated(found, 4, 0, 3, j))),
      );
    };
    expect(left(0)[3]).toBe(1);
    expect(left(1)[3]).toBeCloseTo(0.03 / 0.93, 12);
  });

  test("refuses a query without a key", () => {
    expect(() => gatedWeights([0.5, 0.5], [0, 0])).toThrow(userError("nothing-to-divide-by", "leave 0"));
    expect(() => gatedWeights([1], [1, 1])).toThrow(userError("wrong-shape", "2 entries instead of 1"));
    expect(() => gatedWeightsGradient([1], [1], [])).toThrow(userError("wrong-shape", "0 entries instead of 1"));
  });
});
