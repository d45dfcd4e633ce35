import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { commonPattern, gpt2Words, llama3Words, qwen2Words } from "../../../src/text/patterns/common-words.ts";
import { cutAtMembers, findMembers } from "../../../src/text/patterns/find-all.ts";
import { classMembers } from "../../../src/text/patterns/membership.ts";
import { linearPattern } from "../../../src/text/patterns/pattern.ts";

/** One and more of each kind of character that the patterns tell apart, halves of pairs among them. */
const signs = [..."aZsStTdDmMlLrReEvV'' 0  9\n\r\t.!-\u00a0\u0085\ufeff\u3000é\u0301字٣Ⅷ\u{1d7d8}\u{1f600}\u{10400}ſK"];
const unit = fc.constantFrom(...signs, "\ud83d", "\ude00", "'ll", "'RE", " \n ", "12345");
const text = fc.string({ unit, maxLength: 24 });

describe.each([
  ["GPT-2's", gpt2Words],
  ["Llama 3's", llama3Words],
  ["Qwen 2's", qwen2Words],
])("%s words", (_, source) => {
  const [common, linear] = [commonPattern(source)!, linearPattern(source)];

  test("are those that the expression finds, whatever the text", () => {
    const sameWords = (of: string): void => expect(common(of)).toEqual(linear(of));
    fc.assert(fc.property(text, sameWords), { numRuns: 1500, seed: 3 });
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 30 }), sameWords), { numRuns: 300, seed: 3 });
  });

  test("of a part of a text are those of the part alone", () => {
    fc.assert(
      fc.property(text, text, text, (before, part, after) => {
        const places: number[] = [];
        common.cut!(before + part + after, before.length, before.length + part.length, places);
        expect(places).toEqual(linear(part).map((place) => before.length + place));
      }),
      { numRuns: 300, seed: 5 },
    );
  });
});

test("expressions that are not known to the letter are left to the engine", () => {
  for (const source of [`${gpt2Words} `, "\\p{L}+", ""]) expect(commonPattern(source)).toBeUndefined();
});

test("characters of a set are found, and cut at, where its expression matches", () => {
  const isDigit = classMembers("\\p{N}");
  fc.assert(
    fc.property(text, (of) => {
      expect(findMembers(isDigit)(of)).toEqual(
        [...of.matchAll(/\p{N}/gu)].flatMap((m) => [m.index, m.index + m[0].length]),
      );
      const words = (isKept: boolean): string[] => {
        const places: number[] = [];
        cutAtMembers(isDigit, isKept)(of, 0, of.length, places);
        return places.flatMap((place, i) => (i % 2 === 0 ? [of.slice(place, places[i + 1])] : []));
      };
      expect(words(true)).toEqual(of.split(/(\p{N})/u).filter((word) => word !== ""));
      expect(words(false)).toEqual(of.split(/\p{N}/u).filter((word) => word !== ""));
    }),
    { numRuns: 200, seed: 9 },
  );
});
