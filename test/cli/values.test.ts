import { describe, expect, test } from "@jest/globals";
import { amount, oneOf, requiredValue, wholeNumber } from "../../src/cli/values.ts";
import { userError } from "../user-error.ts";

describe("wholeNumber", () => {
  test("reads whole numbers within the range, and nothing where there is nothing", () => {
    expect([wholeNumber("n", "12"), wholeNumber("n", "-3", { minimum: -5 }), wholeNumber("n", undefined)]).toEqual([
      12,
      -3,
      undefined,
    ]);
  });

  test.each(["0", "-1", "1.5", "1e3", "", " 4", "x", "99999999999"])("refuses %j, which is no count", (text) => {
    expect(() => wholeNumber("rows", text)).toThrow(userError("invalid-option", "--rows"));
  });
});

test("amount reads numbers of 0 or more and refuses all else", () => {
  expect([amount("t", "0"), amount("t", "1e-3"), amount("t", undefined)]).toEqual([0, 0.001, undefined]);
  for (const text of ["-1", "", "NaN", "Infinity", "warm"])
    expect(() => amount("t", text)).toThrow(userError("invalid-option", "--t "));
});

test("oneOf names the words there are, and the nearest", () => {
  expect(oneOf("engine", "cpu", ["auto", "cpu"])).toBe("cpu");
  expect(() => oneOf("engine", "autos", ["auto", "cpu"])).toThrow(
    userError("invalid-option", /--engine.*auto, cpu[^]*Did you mean auto/),
  );
});

test("requiredValue says what is missing", () => {
  expect(requiredValue("model", "m", "a folder")).toBe("m");
  for (const text of [undefined, ""])
    expect(() => requiredValue("model", text, "a folder")).toThrow(userError("missing-option", /--model[^]*a folder/));
});
