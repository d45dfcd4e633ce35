import { describe, expect, test } from "@jest/globals";
import { criticalToken } from "../../../src/evaluation/critical/critical-token.ts";
import { userError } from "../../user-error.ts";

describe("criticalToken", () => {
  const cases: [string, number[], number | undefined][] = [
    ["the first token from which nothing is right", [0.9, 0.5, 0, 0, 0], 2],
    ["not a zero behind which 5 % or more are right", [0.9, 0, 0.05, 0, 0], 3],
    ["a zero although 4.9 % are right later", [0.9, 0, 0.049, 0], 1],
    ["not a token with few right ones, though all later ones are zero", [0.9, 0.04, 0.04, 0], 3],
    ["the very first token", [0, 0, 0], 0],
    ["the last one, behind which there is nothing", [0.9, 0.5, 0], 2],
    ["none where the last tested token still leads to right ones", [0, 0, 0.05], undefined],
    ["none where no share is zero", [0.5, 0.04, 0.03], undefined],
    ["none of no tokens", [], undefined],
    ["over tokens that were not tested", [NaN, 0.5, NaN, 0, NaN], 3],
    ["none where nothing was tested", [NaN, NaN], undefined],
  ];
  test.each(cases)("is %s", (_, right, place) => {
    expect(criticalToken(right)).toBe(place);
  });

  test("takes another bound for later tokens", () => {
    expect(criticalToken([0.9, 0, 0.2, 0], { below: 0.25 })).toBe(1);
    expect(criticalToken([0.9, 0, 0.2, 0], { below: 0.2 })).toBe(3);
  });

  test("refuses shares and bounds that cannot be", () => {
    expect(() => criticalToken([0.5, 1.5])).toThrow(userError("out-of-range", "token 1"));
    expect(() => criticalToken([-0.1])).toThrow(userError("out-of-range", "token 0"));
    expect(() => criticalToken([0], { below: 0 })).toThrow(userError("invalid-option", "below"));
    expect(() => criticalToken([0], { below: NaN })).toThrow(userError("invalid-option", "below"));
  });
});
