import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pythonPattern } from "../../../src/model/adapters/python-pattern.ts";
import { userError } from "../../user-error.ts";

const name = "model.layers.10.self_attn.q_proj";
const fits = (pattern: string, text = name): boolean => pythonPattern(pattern, "a file").test(text);

describe("a pattern of PEFT's", () => {
  test.each([
    [String.raw`.*\.(q|v)_proj`, true],
    [String.raw`.*\.(k|v)_proj`, false],
    [String.raw`model\.layers\.\d+\.self_attn\.(q|k)_proj`, true],
    [
      String.raw`(?:.*?(?:self_attn|mlp).*?(?:q_proj|down_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:mlp)\.(?:(?:up_proj)))`,
      true,
    ],
    [String.raw`^(?!.*lora).*[qk]_proj$`, true],
    [String.raw`(?!.*attn).*q_proj`, false],
    [String.raw`(?P<all>model.*)_proj`, true],
    [String.raw`model\.layers\.1[0-9]\.[^.]+\.[a-z]_proj`, true],
    [String.raw`(^model\.)?layers.*`, true],
    ["q_proj", false],
    ["(?:.|.)*x", false],
  ])("%s is read as Python reads it", (pattern, expected) => {
    expect(fits(pattern)).toBe(expected);
  });

  test.each([
    "a{,3}",
    "[]q]",
    "[^]q]",
    "[[:alpha:]]",
    String.raw`\q`,
    String.raw`[\q]`,
    String.raw`\1`,
    String.raw`\Z`,
    "(?i)q",
  ])("%s, which the languages read differently, is refused", (pattern) => {
    expect(() => fits(pattern)).toThrow(userError("invalid-adapter", /not a pattern that can be used/));
  });

  test.each([
    "(",
    ")",
    "[",
    "[z-a]",
    "a**",
    "a*+",
    "a{3,2}",
    "*",
    "^*",
    "(?<n>a)",
    "(?P<n>a)(?P<n>b)",
    "a\\",
    "(?=(?=a))",
  ])("%s is refused", (pattern) => {
    expect(() => fits(pattern)).toThrow(userError("invalid-adapter"));
  });

  test.each(["((.*))*x", "(?:.{1,40}){1,40}!", "(.?){60}x", "(.*)+x", "((a|b*)c)+"])(
    "%s repeats a repetition",
    (pattern) => {
      expect(() => fits(pattern)).toThrow(userError("invalid-adapter", /repeats a repetition/));
    },
  );

  test("takes no longer where there are many ways through the name", () => {
    const long = "a".repeat(200);
    for (const pattern of ["(.|.)*x", "(.|.)".repeat(100) + "x", ".?".repeat(100) + "x", ".*".repeat(50) + "x"])
      expect(fits(pattern, long)).toBe(false);
    expect(() => fits(`.*(?=${".*".repeat(50)}!)x`, long)).toThrow(userError("invalid-adapter", /too long/));
  });

  test("fits what a regular expression fits", () => {
    const part = fc.constantFrom(
      "a",
      "b",
      ".",
      "[ab]",
      "[^a]",
      "(a|b)",
      "(?:ab|a)",
      "a*",
      "b+",
      ".?",
      "(a|ab){1,2}",
      "a{2}",
      "(?=b)",
      "(?!a)",
    );
    const texts = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), texts, (parts, text) => {
        expect(fits(parts.join(""), text)).toBe(new RegExp(`^(?:${parts.join("")})$`).test(text));
      }),
      { numRuns: 1000 },
    );
  });
});
