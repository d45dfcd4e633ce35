import { expect, test } from "@jest/globals";
import { stream } from "../../src/system/random.ts";
import { rememberWords } from "../../src/text/word-table.ts";

/** Ids that tell every word from every other: its letters, and its length. */
const spelled = (word: string): number[] => [word.length, ...Array.from(word, (_, i) => word.charCodeAt(i))];

test("words have the ids that they were given, known or not, and long ones", () => {
  const random = stream("words");
  const asked = new Map<string, number>();
  const append = rememberWords((word) => {
    asked.set(word, (asked.get(word) ?? 0) + 1);
    return spelled(word);
  });
  const words = Array.from({ length: 6000 }, () => `${random.below(3000)}`.repeat(1 + random.below(2)));
  for (const word of [...words, "x".repeat(300), "y".repeat(300), "", "x".repeat(300)]) {
    const ids = [7];
    append(`<${word}>`, 1, 1 + word.length, ids);
    expect(ids).toEqual([7, ...spelled(word)]);
  }
  expect([...new Set(words)].filter((word) => asked.get(word) !== 1)).toEqual([]);
  expect(asked.get("x".repeat(300))).toBe(2); // not remembered
});

test("more words than are remembered begin the table anew, and text without a token stands as -1", () => {
  const append = rememberWords((word) => [word === "none" ? undefined : Number(word)]);
  const idOf = (word: string): number => {
    const ids: number[] = [];
    append(word, 0, word.length, ids);
    return ids[0]!;
  };
  for (let number = 0; number < 150_000; number++) if (idOf(String(number)) !== number) throw new Error(String(number));
  expect([idOf("5"), idOf("149999"), idOf("none")]).toEqual([5, 149_999, -1]);
});
