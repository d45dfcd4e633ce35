import { describe, expect, test } from "@jest/globals";
import { hashUniform, stream } from "../../src/system/random.ts";

describe("random streams", () => {
  test("the same names give the same numbers, other names others", () => {
    const draw = (...names: (string | number)[]) => Array.from({ length: 5 }, stream(...names).next);
    expect(draw(1, "order", 0)).toEqual(draw(1, "order", 0));
    expect(draw(1, "order", 0)).not.toEqual(draw(1, "order", 1));
    expect(draw(1, 23)).not.toEqual(draw(12, 3));
  });

  test("hashUniform is uniform and uncorrelated between neighbours", () => {
    const n = 20_000;
    let sum = 0;
    let product = 0;
    let outside = 0;
    for (let i = 0; i < n; i++) {
      const a = hashUniform(7, i, 3);
      const b = hashUniform(7, i, 4);
      if (!(a >= 0 && a < 1)) outside++;
      sum += a;
      product += (a - 0.5) * (b - 0.5);
    }
    expect(outside).toBe(0);
    // standard error of the mean: sqrt(1/12/n) = .002; of the product: 1/12/sqrt(n) = .0006
    expect(Math.abs(sum / n - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(product / n)).toBeLessThan(0.003);
  });

  test("hashUniform does not mistake a seed for a row", () => {
    const draws = (seed: number) => Array.from({ length: 64 }, (_, row) => hashUniform(seed, row, 3));
    const first = new Set(draws(0));
    expect(draws(1).filter((x) => first.has(x))).toEqual([]);
  });
});
