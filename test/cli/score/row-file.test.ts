import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { shortestDecimal } from "../../../src/cli/score/row-file.ts";

test("shortestDecimal writes what a person would have written", () => {
  for (const value of [0, 1, -1, 0.1, 0.6, 2.5, 1e-7, 123456, 16777216, 0.693147, 3.4028235e38])
    expect(shortestDecimal(Math.fround(value))).toBe(value);
});

test("shortestDecimal gives back every float32, and no shorter decimal does", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (drawn) => {
      const value = drawn + 0; // JSON has no -0
      const text = shortestDecimal(value);
      expect(Math.fround(text)).toBe(value);
      const digits = text.toExponential().replace(/e.*|[-.]/g, "").length;
      if (digits > 1) expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value);
    }),
    { numRuns: 3000 },
  );
});
