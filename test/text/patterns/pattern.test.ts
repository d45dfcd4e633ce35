import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { linearPattern } from "../../../src/text/patterns/pattern.ts";
import { PatternRefused } from "../../../src/text/patterns/tree.ts";
import { generatedPattern, nativelyFound } from "./generated-pattern.ts";

describe("a pattern in linear time", () => {
  test.each([
    ["(?:a?b??)*", "abab"],
    ["(?:|a)*", "aaa"],
    ["(?:a*)*?b|a", "aaab a"],
    ["(?:a??){0,3}?b|", "aab"],
    ["(?=a{2,}b)a|(?<!a)b|(?<=ab)(?!c).", "aab abd abc b"],
    ["(?<=(?<!x)ab*)c", "abbc xabc ac c"],
    ["(?<=(?=ab)a)b", "ab aab"],
    ["^a|b$|^$", "ab"],
    ["", "a\u{1f600}b"],
    ["[^a]|(?<=\\u{1f600})a", "\u{1f600}a\ud83d\ude00\ude00a\ud83d"],
    ["\\s+(?!\\S)|\\s+", "a   b \n"],
  ])("finds what JavaScript finds: %s in %j", (source, text) => {
    expect(linearPattern(source)(text)).toEqual(nativelyFound(source, text));
  });

  test("finds what JavaScript finds, whatever the pattern", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "\u{1f600}"), maxLength: 6 });
    fc.assert(
      fc.property(generatedPattern, text, (source, of) => {
        expect(linearPattern(source)(of)).toEqual(nativelyFound(source, of));
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  test.each([
    ["(a|a)*b", "a", "!"],
    ["(a{1,9}){1,9}b", "a", "!"],
    ["(a*)*b|a", "a", ""],
    ["a*b|a", "a", ""],
    ["\\s+$|(?<=a+)(?=a*b)a", "a", " "],
    ["(?:a+)+(?:b+)+(?:c+)+d", "abc", ""],
    ["(x+x+)+y|x(?=x*z)", "x", ""],
  ])("takes time that grows with the text alone: %s", (source, repeated, end) => {
    const find = linearPattern(source);
    const text = (times: number): string => repeated.repeat(times) + end;
    const timed = (times: number): number => {
      const whole = text(times);
      const before = process.cpuUsage().user;
      find(whole);
      return process.cpuUsage().user - before;
    };
    timed(10_000);
    expect(timed(200_000)).toBeLessThan(500_000); // µs; at 40 letters the engine of JavaScript takes minutes
  });

  test("refuses what no tokenizer has, at once", () => {
    for (const source of [
      "(a)\\1",
      "(?:(?:a{100}){100}){100}",
      "(?:){3}{0,1}".slice(0, 6) + "(".repeat(101) + ")".repeat(101),
    ])
      expect(() => linearPattern(source)).toThrow(PatternRefused);
    const many = linearPattern(`[ab]*a${"[ab]".repeat(300)}`);
    const text = Array.from({ length: 60_000 }, (_, i) => ((i * i * 7919) % 13 < 6 ? "a" : "b")).join("");
    expect(() => many(text)).not.toThrow();
    const hostile = linearPattern(`${"[ab]".repeat(60)}a[ab]*c`);
    expect(() => hostile(text)).not.toThrow();
  });
});
