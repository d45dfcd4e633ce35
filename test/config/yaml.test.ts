import { describe, expect, test } from "@jest/globals";
import { parseSetting, parseYaml } from "../../src/config/yaml.ts";
import { userError } from "../user-error.ts";

describe("YAML of a configuration", () => {
  test("becomes plain values, aliases copied", () => {
    const { value } = parseYaml("a: &x {n: 3e-4}\nb: [*x, true, ~, text]\n", "c.yaml");
    expect(value).toEqual({ a: { n: 0.0003 }, b: [{ n: 0.0003 }, true, null, "text"] });
    const { a, b } = value as { a: object; b: object[] };
    expect(b[0]).not.toBe(a);
  });

  test("knows the line and column of keys and values, also through an alias", () => {
    const { locate } = parseYaml("a: &x\n  n: 1\nb: *x\nc: [5, 6]\n", "c.yaml");
    expect(locate(["a", "n"], "key")).toEqual({ line: 2, column: 3, exact: true });
    expect(locate(["a", "n"], "value")).toEqual({ line: 2, column: 6, exact: true });
    expect(locate(["b", "n"], "value")).toEqual({ line: 2, column: 6, exact: true });
    expect(locate(["c", 1], "value")).toEqual({ line: 4, column: 8, exact: true });
    expect(locate(["a", "missing"], "value")).toEqual({ line: 2, column: 3, exact: false });
  });

  const bomb = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join()}]`);
  test.each([
    ["a key given twice", "a: 1\nb: 2\na: 3\n", userError("invalid-yaml", /c\.yaml:3:1: .*"a"/)],
    ["NaN", "a: .nan", userError("invalid-yaml", "c.yaml:1:4: NaN")],
    ["a number beyond float64", "a: 1e999", userError("invalid-yaml", "c.yaml:1:4: Infinity")],
    ["__proto__", "__proto__: {polluted: 1}", userError("invalid-yaml", 'c.yaml:1:1: "__proto__"')],
    ["constructor", "a: {constructor: 1}", userError("invalid-yaml", 'c.yaml:1:5: "constructor"')],
    [
      "a tag that runs code elsewhere",
      "a: !!js/function 'x'",
      userError("invalid-yaml", /c\.yaml:1:4: .*js\/function/),
    ],
    ["binary", "a: !!binary aGk=", userError("invalid-yaml", "c.yaml:1:13")],
    ["a list as key", "[1]: 2", userError("invalid-yaml", /c\.yaml:1:1: .*\bkey\b/)],
    ["an unknown anchor", "a: *b", userError("invalid-yaml", /c\.yaml:1:4: .*\bb\b/)],
    ["an alias of what holds it", "a: &a [*a]", userError("invalid-yaml", /c\.yaml:1:\d+: .*\b32\b/)],
    ["an alias bomb", ["a0: &a0 x", ...bomb].join("\n"), userError("invalid-yaml", /c\.yaml:2:10: .*\b20000\b/)],
    [
      "many aliases",
      `a: &a 1\nb: [${Array(20100).fill("*a").join()}]`,
      userError("invalid-yaml", /c\.yaml:\d+:\d+: .*\b20000\b/),
    ],
    ["deep nesting", `a: ${"[".repeat(40)}${"]".repeat(40)}`, userError("invalid-yaml", /c\.yaml:1:\d+: .*\b32\b/)],
    ["very deep nesting", `a: ${"[".repeat(20000)}`, userError("invalid-yaml", /c\.yaml:1:\d+: nested/)],
    ["very many question marks", "? ".repeat(2000), userError("invalid-yaml", /c\.yaml:1:\d+: nested/)],
    ["very many dashes", "- ".repeat(2000), userError("invalid-yaml", /c\.yaml:1:\d+: nested/)],
    ["colons in a row", "a: ".repeat(2000), userError("invalid-yaml", /c\.yaml:1:\d+: nested/)],
    [
      "deep indentation",
      Array.from({ length: 600 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""),
      userError("invalid-yaml", /c\.yaml:\d+:\d+: nested/),
    ],
    ["very many anchors", "&a ".repeat(2000), userError("invalid-yaml", "c.yaml:1:4")],
    ["very many tags", "!a ".repeat(2000), userError("invalid-yaml", "c.yaml:1:4")],
    ["very many signs", "- \n".repeat(200_000), userError("invalid-yaml", /c\.yaml:\d+:\d+: .*\b200000\b/)],
    ["a huge text", `a: ${"x".repeat(1 << 20)}`, userError("too-large", "c.yaml: 1048579")],
    ["two documents", "a: 1\n---\nb: 2", userError("invalid-yaml", "c.yaml:2:1")],
    ["tabs", "a:\n\tb: 1", userError("invalid-yaml", "c.yaml:2:1: Tabs")],
    ["an open quote", 'a: "x', userError("invalid-yaml", "c.yaml:1:6")],
  ])("refuses %s with its place", (_, text, refusal) => {
    expect(() => parseYaml(text, "c.yaml")).toThrow(refusal);
  });
});

describe("the value of --set", () => {
  test.each([
    ["3e-4", 0.0003],
    ["-2", -2],
    ["true", true],
    ["[1, 2]", [1, 2]],
    ["{a: 1}", { a: 1 }],
    ["'3'", "3"],
    ["", null],
    ["./data x/#1: y.arrow", "./data x/#1: y.arrow"],
    ["*star", "*star"],
    ["1.5.2", "1.5.2"],
    ["cosine", "cosine"],
  ])("%s is %j", (text, value) => {
    expect(parseSetting(text, ["a"])).toEqual(value);
  });

  test.each([".nan", "1e999", "[1", "{__proto__: 1}"])("%s is refused", (text) => {
    expect(() => parseSetting(text, ["a"])).toThrow(userError(["invalid-option", "invalid-yaml"], /^a\b/));
  });
});
