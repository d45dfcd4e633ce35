import { describe, expect, test } from "@jest/globals";
import { parseSelection } from "../../../src/cli/score/parse-selection.ts";
import { userError } from "../../user-error.ts";

describe("a rule on the command line", () => {
  test("takes its options from --set", () => {
    expect(parseSelection("sstoken", ["ratio=0.8", "warmup.samples=5"])).toEqual({
      method: "sstoken",
      ratio: 0.8,
      warmup: { samples: 5 },
    });
  });

  test("is told all its problems", () => {
    expect(() => parseSelection("sstoken", ["ratoi=0.8", "gamma=2"])).toThrow(
      userError("invalid-option", /ratoi .*did you mean ratio\?\n {2}gamma .* 0 .* 1, .* 2/),
    );
    expect(() => parseSelection("ssToken", [])).toThrow(userError("unknown-method", "did you mean sstoken?"));
  });
});
