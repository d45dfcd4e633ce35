import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Budget, budgetCount, resolveBudget, topMask } from "../../src/ranking/index.ts";
import { userError } from "../user-error.ts";

const all = (n: number) => new Uint8Array(n).fill(1);
const keep = (scores: number[], budget: Budget) =>
  [...topMask(Float32Array.from(scores), { rows: 1, width: scores.length, response: all(scores.length) }, budget)].join(
    "",
  );

describe("budgetCount", () => {
  test.each([
    [25, 0.6, "ceil", 15], // 0.6 * 25 = 15
    [100, 0.55, "ceil", 55], // 0.55 * 100 = 55.00000000000001 in float64
    [7, 0.6, "ceil", 5], // 4.2
    [7, 0.6, "floor", 4],
    [100, 0.29, "floor", 29], // 0.29 * 100 = 28.999999999999996 in float64
    [5, 0.5, "round", 3], // 2.5: half up
    [100, 0.145, "round", 15], // 0.145 * 100 = 14.499999999999998 in float64
    [4, 0.6, "round", 2], // 2.4
    [3, 1, "ceil", 3],
    [0, 0.6, "ceil", 0],
  ] as const)("of %d at %d rounds by %s to %d", (count, ratio, rounding, expected) => {
    expect(budgetCount(count, ratio, rounding)).toBe(expected);
  });
});

describe("topMask", () => {
  test("keeps the highest scores", () => {
    expect(keep([0.1, 0.9, -3, 0.5], { ratio: 0.5 })).toBe("0101");
  });

  test("keeps the lowest scores when told to, the earlier of equal ones", () => {
    expect(keep([0.1, 0.9, -3, 0.5], { ratio: 0.5, order: "lowest" })).toBe("1010");
    expect(keep([1, 0, 1, 1], { ratio: 0.75, order: "lowest" })).toBe("1110");
    expect(keep([0, -0, -0], { ratio: 0.3, order: "lowest" })).toBe("100");
  });

  test("prefers the earlier of equal scores, and takes -0 for 0", () => {
    expect(keep([1, 2, 1, 1], { ratio: 0.75 })).toBe("1110");
    expect(keep([-0, 0, 0], { ratio: 0.3 })).toBe("100");
  });

  test("ranks each response on its own, leaving prompt and padding alone", () => {
    // Row 0: response at 1..3 (k = ceil(1.8) = 2); row 1: response at 2 (k = 1).
    const response = Uint8Array.of(0, 1, 1, 1, 0, 0, 1, 0);
    const scores = Float32Array.of(9, 1, 3, 2, NaN, Infinity, -7, 9);
    expect([...topMask(scores, { rows: 2, width: 4, response }, { ratio: 0.6 })]).toEqual([0, 0, 1, 1, 0, 0, 1, 0]);
  });

  test("ranks a step across its rows, and may leave one of them empty", () => {
    const scores = Float32Array.of(1, 2, 5, 6);
    const rows = { rows: 2, width: 2, response: all(4) };
    expect([...topMask(scores, rows, { ratio: 0.5, scope: "step" })]).toEqual([0, 0, 1, 1]);
    expect([...topMask(scores, rows, { ratio: 0.5, scope: "step", minPerRow: 1 })]).toEqual([0, 1, 0, 1]);
  });

  test("keeps at least one token of every response however small the ratio", () => {
    expect(keep([3, 4, 1], { ratio: 0.01, rounding: "floor" })).toBe("010");
    expect(keep([3, 4, 1], { ratio: 0.01, rounding: "floor", scope: "step" })).toBe("000");
  });

  test("fills the budget with end-of-turn tokens first, without exceeding it", () => {
    const tokens = { rows: 1, width: 4, response: all(4), endOfTurn: Uint8Array.of(0, 0, 0, 1) };
    const scores = Float32Array.of(4, 3, 2, 1);
    expect([...topMask(scores, tokens, { ratio: 0.5, keepEndOfTurn: true })]).toEqual([1, 0, 0, 1]);
    expect([...topMask(scores, tokens, { ratio: 0.5 })]).toEqual([1, 1, 0, 0]);
  });

  test("names the dataset row and the token of a score that is not finite", () => {
    const tokens = { rows: 2, width: 2, response: all(4), rowIds: Float64Array.of(40, 41) };
    for (const bad of [NaN, Infinity, -Infinity]) {
      for (const order of ["highest", "lowest"] as const) {
        expect(() => topMask(Float32Array.of(1, 2, 3, bad), tokens, { ratio: 0.5, order })).toThrow(
          userError("not-finite", `row 41, token 1: The score is ${bad}`),
        );
      }
    }
  });

  test("refuses arrays of other sizes", () => {
    expect(() => topMask(new Float32Array(3), { rows: 1, width: 4, response: all(4) }, { ratio: 1 })).toThrow(
      userError("wrong-shape", "3 scores instead of 4"),
    );
    expect(() => topMask(new Float32Array(4), { rows: 1, width: 4, response: all(3) }, { ratio: 1 })).toThrow(
      userError("wrong-shape", "response mask has 3 entries"),
    );
    expect(() =>
      topMask(new Float32Array(4), { rows: 1, width: 4, response: all(4) }, { ratio: 1, keepEndOfTurn: true }),
    ).toThrow(userError("wrong-shape", "keepEndOfTurn"));
  });

  test.each([
    [{ ratio: 0 }, "ratio"],
    [{ ratio: 1.01 }, "ratio"],
    [{ ratio: NaN }, "ratio"],
    [{ ratio: 0.5, minPerRow: 0 }, "minPerRow"],
    [{ ratio: 0.5, scope: "step", minPerRow: 1.5 }, "minPerRow"],
    [{ ratio: 0.5, scope: "batch" }, "scope"],
    [{ ratio: 0.5, rounding: "up" }, "rounding"],
    [{ ratio: 0.5, order: "least" }, "order"],
  ])("refuses the budget %j", (budget, option) => {
    expect(() => resolveBudget(budget as Budget)).toThrow(userError("invalid-option", option));
  });
});

describe("topMask, for any scores", () => {
  const row = fc
    .uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 40 })
    .map((scores) => scores.map((score) => score / 8));
  const ratio = fc.double({ min: 0.01, max: 1, noNaN: true });

  test("keeps exactly the budget, and never a lower score than one it drops", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 40 }),
        ratio,
        (scores, share) => {
          const mask = keep(scores, { ratio: share });
          const kept = scores.filter((_, i) => mask[i] === "1");
          const dropped = scores.filter((_, i) => mask[i] === "0");
          expect(kept).toHaveLength(Math.max(1, budgetCount(scores.length, share, "ceil")));
          expect(Math.min(...kept)).toBeGreaterThanOrEqual(Math.max(...dropped));
        },
      ),
    );
  });

  test("keeps all it kept when the ratio grows", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 40 }),
        ratio,
        ratio,
        (s, a, b) => {
          const small = keep(s, { ratio: Math.min(a, b) });
          const large = keep(s, { ratio: Math.max(a, b) });
          expect([...small].every((bit, i) => bit <= large[i]!)).toBe(true);
        },
      ),
    );
  });

  test("follows the tokens when they are permuted", () => {
    fc.assert(
      fc.property(row, ratio, fc.infiniteStream(fc.nat()), (scores, share, keys) => {
        const order = scores.map((_, i) => ({ i, key: keys.next().value })).sort((a, b) => a.key - b.key);
        const mask = keep(scores, { ratio: share });
        const permuted = keep(
          order.map(({ i }) => scores[i]!),
          { ratio: share },
        );
        expect(permuted).toBe(order.map(({ i }) => mask[i]).join(""));
      }),
    );
  });
});
