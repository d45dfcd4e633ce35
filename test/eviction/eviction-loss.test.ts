import { describe, expect, test } from "@jest/globals";
import { evictionLoss } from "../../src/eviction/index.ts";
import type { EvictionLossOptions } from "../../src/eviction/loss-options.ts";
import { evictionPresets } from "../../src/eviction/loss-options.ts";
import { userError } from "../user-error.ts";
import { expectClose, fixture, shape, widen } from "./fixture.ts";

const gates = fixture.gates.map((layer) => Float32Array.from(layer));
const batch = { ...shape, evictable: Uint8Array.from(fixture.evictable) };
/** Two evictable tokens beside an exempt one, one head. */
const mean = (...layers: [number, number][]) =>
  [
    layers.map(([a, b]) => Float32Array.of(0.123, a, b)),
    { rows: 1, width: 3, heads: 1, lengths: [3], evictable: Uint8Array.of(0, 1, 1) },
  ] as const;
const value = (options: EvictionLossOptions, ...layers: [number, number][]) => {
  const { sum, mass } = evictionLoss(options).at(...mean(...layers)).term;
  return sum / mass;
};

describe("the eviction loss", () => {
  test.each(fixture.losses)("equals PyTorch: $options", ({ options, ...expected }) => {
    const { term } = evictionLoss(options).at(gates, batch);
    expect(term.sum).toBeCloseTo(expected.sum, 5);
    expect(term.mass).toBe(expected.mass);
    term.dGates.forEach((layer, l) => expectClose(layer, expected.dGates[l]!));
  });

  // mean .6 of the layer [.4, .8]
  test.each([
    ["linear", 0.5, 0.1],
    ["linear", 0.8, -0.2],
    ["abs", 0.8, 0.2],
    ["square", 0.8, 0.04],
    ["hinge", 0.5, 0.1],
    ["hinge", 0.8, 0],
  ] as const)("is, %s at target %d, %d", (form, target, expected) => {
    expect(value({ form, target }, [0.4, 0.8])).toBeCloseTo(expected, 6);
    expect(value({ form, target, alpha: 3 }, [0.4, 0.8])).toBeCloseTo(3 * expected, 6);
  });

  test("presses as hard below the target as above it when linear, and says so", () => {
    const gradient = (options: EvictionLossOptions) => evictionLoss(options).at(gates, batch).term.dGates;
    for (const target of [0, 0.5, 1])
      expect(gradient({ form: "linear", target })).toEqual(gradient({ form: "linear", target: 0.3 }));
    expect(gradient({ form: "hinge", target: 1 })[0]!.every((d) => d === 0)).toBe(true);
    expect(gradient({ form: "abs", target: 1 })[0]!.some((d) => d < 0)).toBe(true);
    expect(evictionLoss({ form: "linear" }).warning).toMatch(/no equilibrium/);
    expect(evictionLoss({ preset: "paper" }).warning).toBeDefined();
    for (const form of ["abs", "square", "hinge"] as const) expect(evictionLoss({ form }).warning).toBeUndefined();
  });

  test("lets layers make up for each other in scope global alone", () => {
    const layers: [number, number][] = [
      [0.2, 0.2],
      [0.8, 0.8],
    ];
    expect(value({ scope: "global", target: 0.5 }, ...layers)).toBeCloseTo(0, 6);
    expect(value({ scope: "layer", target: 0.5 }, ...layers)).toBeCloseTo(0.15, 6);
  });

  test("ramps its target in a straight line and stays there", () => {
    const loss = evictionLoss({ target: 0.4, ramp: { steps: 10 } });
    const targets = [0, 5, 10, 11, 1000].map((step) => loss.at(gates, batch, step).metrics.target);
    expectClose(targets, [1, 0.7, 0.4, 0.4, 0.4], 1e-12);
    expect(evictionLoss({ target: 0.4 }).at(gates, batch).metrics.target).toBe(0.4);
    expect(evictionLoss({ target: 0.4, ramp: { from: 0.8, steps: 2 } }).at(gates, batch, 1).metrics.target).toBeCloseTo(
      0.6,
      12,
    );
  });

  test("averages over evictable entries, and reports the share of all real ones beside it", () => {
    const { metrics } = evictionLoss().at(...mean([0.25, 0.5]));
    expect(metrics.keepShare).toBe(0.375);
    // the exempt token counts 1, whatever its gate: (1 + .25 + .5) / 3
    expect(metrics.keepShareOfAll).toBeCloseTo(1.75 / 3, 12);
  });

  test.each(fixture.losses)("does not depend on padding: $options", ({ options }) => {
    const wide = { ...batch, width: 20, evictable: widen(batch.evictable, shape, 20, 1) };
    const widened = gates.map((layer) => widen(layer, shape, 20, NaN));
    const { term, metrics } = evictionLoss(options).at(gates, batch);
    const padded = evictionLoss(options).at(widened, wide);
    expect(padded.metrics).toEqual(metrics);
    expect(padded.term.sum).toBe(term.sum);
    padded.term.dGates.forEach((layer, l) => expect(layer).toEqual(widen(term.dGates[l]!, shape, 20, 0)));
  });

  test("of rows on their own does not depend on how they are batched", () => {
    const { width, heads, lengths } = fixture;
    const whole = evictionLoss({ rows: "each", target: 0.2 }).at(gates, batch).term;
    let [sum, mass] = [0, 0];
    lengths.forEach((length, row) => {
      const cut = <A extends Float32Array | Uint8Array>(x: A, each: number) =>
        x.slice(row * width * each, (row + 1) * width * each) as A;
      const { term } = evictionLoss({ rows: "each", target: 0.2 }).at(
        gates.map((layer) => cut(layer, heads)),
        { ...shape, rows: 1, lengths: [length], evictable: cut(batch.evictable, 1) },
      );
      sum += term.sum;
      mass += term.mass;
      term.dGates.forEach((layer, l) => expect(layer).toEqual(cut(whole.dGates[l]!, heads)));
    });
    expect([sum, mass]).toEqual([whole.sum, whole.mass]);
  });

  test("is an empty sum where nothing may be evicted", () => {
    const none = { ...batch, evictable: new Uint8Array(batch.evictable.length) };
    for (const rows of ["each", "pooled"] as const) {
      const { term, metrics } = evictionLoss({ rows }).at(gates, none);
      expect([term.sum, term.mass]).toEqual([0, 0]);
      expect(metrics).toEqual({ keepShare: 1, keepShareOfAll: 1, target: 0.5 });
    }
  });

  test("has a preset for the paper and one that we advise, and options win over both", () => {
    expect(evictionLoss().settings).toEqual(evictionPresets.recommended);
    expect(evictionLoss({ preset: "paper" }).settings).toMatchObject({
      form: "linear",
      scope: "layer",
      rows: "pooled",
    });
    expect(evictionLoss({ preset: "paper", form: "abs" }).settings).toMatchObject({ form: "abs", rows: "pooled" });
  });

  test("refuses what does not fit, and says where", () => {
    const bad = gates.map((layer) => layer.slice());
    bad[1]![(2 * fixture.width + 3) * 2 + 1] = NaN;
    expect(() => evictionLoss().at(bad, batch)).toThrow(userError("not-finite", "row 2, token 3, head 1: layer 1"));
    expect(() => evictionLoss().at([], batch)).toThrow(userError("wrong-shape", "no gates"));
    expect(() => evictionLoss().at([new Float32Array(3)], batch)).toThrow(
      userError("wrong-shape", "layer 0: The gate has 3 entries instead of 84"),
    );
    expect(() => evictionLoss({ target: 40 })).toThrow(userError("invalid-option", "target"));
    expect(() => evictionLoss({ alpha: -1 })).toThrow(userError("invalid-option", "alpha"));
    expect(() => evictionLoss({ ramp: { steps: 0.5 } })).toThrow(userError("invalid-option", "ramp.steps"));
    expect(() => evictionLoss({ form: "cubic" as "abs" })).toThrow(userError("invalid-option", "form"));
    expect(() => evictionLoss({ preset: "released" as "paper" })).toThrow(userError("invalid-option", "preset"));
  });
});
