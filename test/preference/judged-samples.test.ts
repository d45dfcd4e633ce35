import { describe, expect, test } from "@jest/globals";
import { type JudgedSample, contrastSets, preferencePairs } from "../../src/preference/judged-samples.ts";
import { userError } from "../user-error.ts";

/** Samples written as text: `12+` is the correct answer 12, `7-` the wrong answer 7, `?-` none found. */
const samples = (question: number | string, text: string): JudgedSample[] =>
  text.split(" ").map((sample) => ({
    question,
    answer: sample.startsWith("?") ? null : sample.slice(0, -1),
    correct: sample.endsWith("+"),
    length: 5,
  }));

describe("preferencePairs", () => {
  test("prefers the most frequent correct answer to the most frequent wrong one", () => {
    const mixed = samples("q", "1- 2- 12+ 2- 12.0+ 12+ 3-");
    for (let seed = 0; seed < 30; seed++) {
      const [pair] = preferencePairs(mixed, seed);
      expect([2, 5]).toContain(pair!.chosen);
      expect([1, 3]).toContain(pair!.rejected);
    }
    const drawn = new Set(Array.from({ length: 30 }, (_, seed) => preferencePairs(mixed, seed)[0]!.chosen));
    expect([...drawn].sort()).toEqual([2, 5]);
  });

  test("leaves out questions without both kinds, samples without an answer, and empty responses", () => {
    const all = [...samples("a", "1+ 1+"), ...samples("b", "1- ?-"), ...samples("c", "1+ ?- ?- 2-")];
    expect(preferencePairs(all, 1)).toEqual([{ question: "c", chosen: 4, rejected: 7 }]);
    const empty = samples("d", "1+ 2- 2- 3-").map((s) => (s.answer === "2" ? { ...s, length: 0 } : s));
    expect(preferencePairs(empty, 1)).toEqual([{ question: "d", chosen: 0, rejected: 3 }]);
    expect(preferencePairs([], 1)).toEqual([]);
  });

  test("draws different pairs of a question, the first of which do not depend on their number", () => {
    const one = samples("q", "1+ 1+ 1+ 2- 2- 3-");
    const all = preferencePairs(one, 4, { perQuestion: 100 });
    expect(new Set(all.map(({ chosen, rejected }) => `${chosen} ${rejected}`))).toEqual(
      new Set(["0 3", "0 4", "1 3", "1 4", "2 3", "2 4"]),
    );
    expect(all).toHaveLength(6);
    expect(preferencePairs(one, 4, { perQuestion: 2 })).toEqual(all.slice(0, 2));
    expect(preferencePairs(one, 4)).toEqual(all.slice(0, 1));
    expect(() => preferencePairs(one, 4, { perQuestion: 0 })).toThrow(userError("invalid-option", "perQuestion"));
  });

  test("draws for a question do not depend on the other questions", () => {
    const one = samples(1, "1+ 1+ 1+ 1+ 2- 2- 2- 2-");
    const [alone] = preferencePairs(one, 9);
    const [, second] = preferencePairs([...samples(0, "1+ 2-"), ...one], 9);
    expect(second).toEqual({ question: 1, chosen: alone!.chosen + 2, rejected: alone!.rejected + 2 });
    expect(preferencePairs(one, 9)).toEqual([alone]);
  });

  test("gives ties to the answer seen first", () => {
    expect(preferencePairs(samples("q", "5- 6- 12+ 13+"), 4)).toEqual([{ question: "q", chosen: 2, rejected: 0 }]);
  });
});

describe("contrastSets", () => {
  test("takes wrong answers, the most frequent first, until half of the wrong samples are covered", () => {
    // 8 wrong samples: answer 2 covers 3, answer 3 makes it 5
    const text = "9+ 1- 2- 3- 2- 3- 2- 4- 5- 9+";
    for (let seed = 0; seed < 20; seed++) {
      const { positive, negative } = contrastSets(samples("q", text), seed);
      expect(positive.map((i) => text.split(" ")[i])).toEqual(["9+"]);
      expect(negative.map((i) => text.split(" ")[i])).toEqual(["2-", "3-"]);
    }
    expect(contrastSets(samples("q", "1- 1- 2- 3-"), 0).negative).toHaveLength(1);
    expect(contrastSets(samples("q", text), 0, { coverage: 1 }).negative).toHaveLength(5);
  });

  test("takes an answer seen once only as the first, where asked", () => {
    const lonely = samples("q", "1- 2- 3- 4-");
    expect(contrastSets(lonely, 0).negative).toEqual([0, 1]);
    expect(contrastSets(lonely, 0, { skipSingleAnswers: true }).negative).toEqual([0]);
  });

  test("refuses an impossible coverage", () => {
    expect(() => contrastSets([], 0, { coverage: 0 })).toThrow(userError("invalid-option", "coverage"));
  });
});
