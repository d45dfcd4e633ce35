import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { keepBudget, realisedEviction } from "../../src/eviction/index.ts";
import { budgetCount } from "../../src/ranking/index.ts";
import { userError } from "../user-error.ts";
import { fixture, shape, widen } from "./fixture.ts";

const ties = Float32Array.from(fixture.ties);
const row = (length: number) => ({ rows: 1, width: length, heads: 1, lengths: [length] });
const kept = (scores: number[], options: Parameters<typeof keepBudget>[2]) =>
  [...keepBudget(Float32Array.from(scores), row(scores.length), options)].join("");

describe("a cache budget", () => {
  test.each(fixture.budgets)("keeps what the reference keeps: $options", ({ options, keep }) => {
    expect([...keepBudget(ties, shape, options)]).toEqual(keep);
  });

  test("keeps the best, and of equals the earlier", () => {
    expect(kept([0.1, 0.9, 0.5, 0.5, 0.5], { budget: 3 })).toBe("01110");
    expect(kept([0, 0, 0, 0], { ratio: 0.5 })).toBe("1100");
  });

  test("holds sinks and recent tokens whatever their score", () => {
    expect(kept([-9, 5, 4, 3, -9], { budget: 3, sinks: 1, recent: 1 })).toBe("11001");
  });

  test("is kept to by a short row whose share has no room for both: sinks first, then the latest", () => {
    expect(kept([0, 9, 9, 9, 0, 0], { ratio: 0.5, sinks: 2, recent: 4 })).toBe("110001");
    expect(kept([0, 9, 9, 9, 0, 0], { ratio: 0.1, sinks: 2, recent: 4 })).toBe("100000");
  });

  test("takes its share as the rest of the library does", () => {
    // .55 of 100 is 55, where plain float64 gives 56; .6 of 25 is 15
    expect(kept(new Array<number>(100).fill(0), { ratio: 0.55 }).lastIndexOf("1")).toBe(54);
    expect(kept(new Array<number>(25).fill(0), { ratio: 0.6, rounding: "floor" }).lastIndexOf("1")).toBe(14);
  });

  test("is exact in every head of every row, and padding changes nothing", () => {
    const options = fc.record({
      lengths: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
      heads: fc.integer({ min: 1, max: 3 }),
      seed: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 108, maxLength: 108 }),
      ratio: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true }), { nil: undefined }),
      sinks: fc.integer({ min: 0, max: 3 }),
      recent: fc.integer({ min: 0, max: 3 }),
      more: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(options, ({ lengths, heads, seed, ratio, sinks, recent, more }) => {
        const at = { rows: lengths.length, width: 12, heads, lengths };
        const score = Float32Array.from(seed.slice(0, lengths.length * 12 * heads));
        const budget = sinks + recent + more;
        const asked = { sinks, recent, ...(ratio === undefined ? { budget } : { ratio }) };
        const keep = keepBudget(score, at, asked);
        lengths.forEach((length, b) => {
          const expected = ratio === undefined ? Math.min(length, budget) : budgetCount(length, ratio, "ceil");
          for (let h = 0; h < heads; h++) {
            const marks = Array.from({ length: 12 }, (_, t) => keep[(b * 12 + t) * heads + h]!);
            expect(marks.reduce((sum, mark) => sum + mark, 0)).toBe(expected);
            expect(marks.slice(length).includes(1)).toBe(false);
          }
        });
        const wide = keepBudget(widen(score, at, 15, NaN), { ...at, width: 15 }, asked);
        expect(wide).toEqual(widen(keep, at, 15, 0));
      }),
      { numRuns: 150 },
    );
  });

  test("refuses what cannot be kept", () => {
    const scores = Float32Array.of(1, NaN, 3);
    expect(() => keepBudget(scores, row(3), { budget: 1 })).toThrow(userError("not-finite", "row 0, token 1, head 0"));
    expect(() => kept([1], {})).toThrow(userError("missing-option", /"budget".*"ratio"/));
    expect(() => kept([1], { budget: 1, ratio: 1 })).toThrow(userError("missing-option", /"budget".*"ratio"/));
    expect(() => kept([1], { budget: 5, sinks: 4, recent: 2 })).toThrow(
      userError("invalid-option", /sinks \+ recent = 6.* 5/),
    );
    expect(() => kept([1], { budget: 0 })).toThrow(userError("invalid-option", "budget"));
    expect(() => kept([1], { ratio: 1.2 })).toThrow(userError("invalid-option", "ratio"));
    expect(() => kept([1], { ratio: 1, recent: -1 })).toThrow(userError("invalid-option", "recent"));
  });
});

describe("the accounts of an eviction", () => {
  // two heads; row 0 has 3 tokens, row 1 has 2 and padding that is not kept
  const at = { rows: 2, width: 3, heads: 2, lengths: [3, 2] };
  const keep = Uint8Array.of(1, 1, 0, 1, 0, 0, /* row 1 */ 1, 1, 1, 0, 0, 0);
  const all = Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0);
  const evictable = Uint8Array.of(0, 1, 1, 0, 1, 0);

  test("count per head and layer, without exempt tokens and padding", () => {
    const { layers, rateOfAll, ...total } = realisedEviction([keep, all], at, evictable);
    expect(layers[0]!.heads).toEqual([
      { evictable: 3, evicted: 2, rate: 2 / 3 },
      { evictable: 3, evicted: 2, rate: 2 / 3 },
    ]);
    expect([layers[0]!.rate, layers[1]!.rate]).toEqual([2 / 3, 0]);
    expect(total).toEqual({ evictable: 12, evicted: 4, rate: 1 / 3 });
    // 4 of the 2 layers' 2 x 5 real entries each
    expect(rateOfAll).toBe(4 / 20);
  });

  test("count every real token of a baseline without exemptions", () => {
    expect(realisedEviction([keep], at)).toMatchObject({ evictable: 10, evicted: 4, rate: 0.4, rateOfAll: 0.4 });
  });

  test("are 0, not NaN, where nothing may be evicted", () => {
    expect(realisedEviction([keep], at, new Uint8Array(6))).toMatchObject({ evictable: 0, rate: 0, rateOfAll: 0.4 });
  });

  test("agree with the budget", () => {
    const flags = keepBudget(ties, shape, { ratio: 0.5 });
    const { rateOfAll } = realisedEviction([flags], shape);
    // ceil of half of 14, 9 and 6 is 7 + 5 + 3 of 29
    expect(1 - rateOfAll).toBeCloseTo(15 / 29, 12);
  });

  test("refuse arrays that do not fit", () => {
    expect(() => realisedEviction([keep, keep.subarray(1)], at)).toThrow(
      userError("wrong-shape", "layer 1: keep has 11 entries instead of 12"),
    );
    expect(() => realisedEviction([keep], at, keep)).toThrow(
      userError("wrong-shape", "evictable has 12 entries instead of 6"),
    );
  });
});
