import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { compareCaches } from "../../../src/evaluation/caches/compare.ts";
import type { CacheTally, ProblemNumbers } from "../../../src/evaluation/caches/tally.ts";
import { depths, needleProblems } from "../../../src/evaluation/caches/tasks/needle.ts";
import { questionStart } from "../../../src/evaluation/caches/tasks/question.ts";
import { textProblems } from "../../../src/evaluation/caches/tasks/text.ts";
import type { Tokenizer } from "../../../src/text/index.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { userError } from "../../user-error.ts";

/** A token for each character. */
const tokenizer = {
  encode: (text: string) => Array.from(text, (character) => character.codePointAt(0)!),
  decode: (ids: readonly number[]) => String.fromCodePoint(...ids),
} as unknown as Tokenizer;

const rows = Array.from({ length: 20 }, (_, i) => ({ rowId: 2 * i, text: `Paragraph ${i} has words.` }));
const textOf = (ids: readonly number[]): string => tokenizer.decode(ids);

describe("needles", () => {
  const options = { count: 5, seed: 3, tokens: 300 };
  const problems = needleProblems(tokenizer, rows, options);

  test("stand at five depths, and are asked for at the end", () => {
    problems.forEach(({ context, reference, depth }, i) => {
      const text = textOf(context);
      const [, city, number] = /The secret number of (\w+) is (\d{4})\./.exec(text)!;
      expect(text.endsWith(`\n\nThe secret number of ${city!} is`)).toBe(true);
      expect(textOf(reference!)).toBe(` ${number!}`);
      expect(depth).toBe(depths[i]);
      const paragraphs = text.split("\n\n").slice(0, -1);
      const place = paragraphs.findIndex((paragraph) => paragraph.startsWith("The secret"));
      expect(place).toBe(Math.round(depth * (paragraphs.length - 1)));
      expect(paragraphs.join("\n\n").length).toBeLessThanOrEqual(300);
    });
  });

  test("follow from the seed", () => {
    expect(needleProblems(tokenizer, rows, options)).toEqual(problems);
    expect(needleProblems(tokenizer, rows, { ...options, seed: 4 })[0]!.context).not.toEqual(problems[0]!.context);
  });

  test("blind, are the same texts with the question apart", () => {
    needleProblems(tokenizer, rows, { ...options, blind: true }).forEach(({ context, question }, i) => {
      expect(textOf(question!)).toMatch(/^\n\nThe secret number of \w+ is$/);
      expect([...context, ...question!]).toEqual(problems[i]!.context);
    });
  });

  test("are refused where the data are too short, or the tokenizer has no such numbers", async () => {
    expect(() => needleProblems(tokenizer, rows, { ...options, tokens: 5000 })).toThrow(
      userError("no-usable-rows", "20"),
    );
    expect(() => needleProblems(tokenizer, rows, { ...options, tokens: 60 })).toThrow(
      userError("no-usable-rows", "60"),
    );
    const words = await loadTokenizer(join(import.meta.dirname, "../../fixtures/model/tied"));
    const few = rows.map(({ rowId }) => ({ rowId, text: "w1 w2 w3" }));
    expect(() => needleProblems(words, few, { ...options, tokens: 40 })).toThrow(userError("tokenizer-mismatch"));
  });
});

test("texts are rows one after the other, cut where the measured tokens begin, and name their rows", () => {
  const problems = textProblems(tokenizer, rows, { count: 2, tokens: 60, following: 10 });
  expect(problems.map(({ rows }) => rows)).toEqual([
    [0, 4],
    [6, 10],
  ]);
  expect(textOf(problems[0]!.context)).toBe("Paragraph 0 has words.\n\nParagraph 1 has words.\n\nParagraph 2 ");
  expect(textOf(problems[0]!.reference!)).toBe("has words.");
  const many = { count: 9, tokens: 60, following: 10 };
  expect(() => textProblems(tokenizer, rows, many)).toThrow(userError("no-usable-rows", "6"));
});

test.each([
  ["One thing. Two things. How many?", "One thing. Two things."],
  ["<user>\nA has $2.50. B has 3.\nHow much is it?<end>\n<assistant>\n", "<user>\nA has $2.50. B has 3."],
  ["Bags with 6 ropes . How many ropes now ?", "Bags with 6 ropes ."],
  ["The first is 3.\n\nGive it back.", "The first is 3."],
  ["How many?", undefined],
  ["no sentence at all", undefined],
])("the question of %j is its last sentence", (prompt, before) => {
  const start = questionStart(tokenizer, tokenizer.encode(prompt));
  expect(start === undefined ? undefined : prompt.slice(0, start).trimEnd()).toBe(before);
});

describe("a comparison", () => {
  const tally = (name: string, role: CacheTally["role"], values: number[], keep?: number): CacheTally => ({
    ...{ name, role, errors: [], retention: [], ...(keep !== undefined && { keep }) },
    problems: values.map((nll) => ({ nll }) as unknown as ProblemNumbers),
  });
  const { caches, best } = compareCaches(
    [
      tally("full", "full", [1, 1, 1, 1]),
      tally("random", "random", [4, 4, 4, 4], 0.4),
      tally("one", "score", [2, 2, 2, 2], 0.4),
      tally("two", "score", [1, 3, 2, 3], 0.4),
      tally("gates", "gates", [1, 1, 2, 2], 0.4),
      tally("gates", "gates", [1, 1, 1, 1], 0.6),
    ],
    { of: "nll", higherIsBetter: false },
  );
  const of = (name: string) => caches.find((cache) => cache.name === name)!;

  test("is with random entries, the best score and all entries, of the same share", () => {
    expect([...best]).toEqual([[0.4, "one"]]);
    expect(of("one").value).toBe(2);
    expect(of("one").againstRandom).toMatchObject({ difference: -2, low: -2, high: -2 });
    expect(of("one").againstBest).toBeUndefined();
    expect(of("two").againstBest!.difference).toBe(0.25);
    expect(of("gates").againstBest).toMatchObject({ difference: -0.5, low: -1, high: 0 });
    expect(of("gates").againstFull!.difference).toBe(0.5);
    expect(caches.at(-1)!.againstRandom).toBeUndefined(); // nothing random was measured at that share
  });

  test("of gates that decide by a threshold is with the caches that keep about as many entries", () => {
    const deciding = (kept: number): CacheTally => ({
      ...tally("gates", "gates", []),
      problems: [1, 2, 1, 2].map((nll) => ({ nll, kept, entries: 100 }) as unknown as ProblemNumbers),
    });
    const others = [
      tally("random", "random", [4, 4, 4, 4], 0.4),
      tally("one", "score", [2, 2, 2, 2], 0.4),
      tally("one", "score", [3, 3, 3, 3], 0.46),
    ];
    const beside = (kept: number) =>
      compareCaches([...others, deciding(kept)], { of: "nll", higherIsBetter: false }).caches.at(-1)!;
    expect(beside(42)).toMatchObject({
      besides: 0.4,
      againstBest: { difference: -0.5 },
      againstRandom: { difference: -2.5 },
    });
    expect(beside(45)).toMatchObject({ besides: 0.46, againstEach: { one: { difference: -1.5 } } });
    expect(beside(45).againstRandom).toBeUndefined();
    const alone = beside(52);
    expect(alone.besides ?? alone.againstBest ?? alone.againstEach).toBeUndefined();
  });

  test("of gates trained more than once is over their seeds too, and with each of the others", () => {
    const trained = (...lists: number[][]): CacheTally => ({
      ...tally("gates", "gates", [2, 2, 2, 2], 0.4),
      trainings: lists.map((list) => tally("", "gates", list).problems),
    });
    const others = [tally("full", "full", [1, 1, 1, 1]), tally("one", "score", [3, 3, 3, 3], 0.4)];
    const ofGates = (gates: CacheTally) =>
      compareCaches([...others, gates], { of: "nll", higherIsBetter: false }).caches.at(-1)!;
    const same = ofGates(trained([2, 2, 2, 2], [2, 2, 2, 2]));
    expect(same.againstEach).toEqual({ one: expect.objectContaining({ difference: -1, low: -1, high: -1 }) });
    const apart = ofGates(trained([1, 1, 1, 1], [3, 3, 3, 3])); // the same means, of trainings that differ
    expect(apart.value).toBe(2);
    expect(apart.againstEach!["one"]!.difference).toBe(-1);
    for (const { low, high } of [apart, apart.againstFull!]) expect(high - low).toBeGreaterThan(2);
  });
});
