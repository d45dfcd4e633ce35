import { expect } from "@jest/globals";

/** Weights as worked out by hand: equal to six digits. */
export const expectClose = (weights: Float32Array, expected: readonly number[]): void =>
  expected.forEach((weight, i) => expect(weights[i]).toBeCloseTo(weight, 6));
