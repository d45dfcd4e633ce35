import { describe, expect, test } from "@jest/globals";
import { agreementOf, comparedAgreement } from "../../../src/evaluation/critical/agreement.ts";
import {
  findCriticalTokens,
  type AnswerPrefix,
  type CountRight,
} from "../../../src/evaluation/critical/find-critical-tokens.ts";
import { recoveryOf } from "../../../src/evaluation/critical/recovery.ts";
import { stream } from "../../../src/system/random.ts";
import { userError } from "../../user-error.ts";

/**
 * A world of sums. An answer is `3 4 OP 5 RESULT END`; the question wants the product of 4 and 5. After each text this is
 * how likely each next token is: the wrong sign is likelier than the right one, and what follows a sign is what it says.
 */
const [THREE, FOUR, FIVE, PLUS, TIMES, NINE, TWENTY, END] = [3, 4, 5, 101, 102, 9, 20, 0];
const rollouts = 64;

function nextTokens(answer: readonly number[]): readonly (readonly [id: number, probability: number])[] {
  const last = answer.at(-1);
  const sign = answer.find((id) => id === PLUS || id === TIMES);
  if (last === undefined) return [[THREE, 1]];
  if (last === THREE) return [[FOUR, 1]];
  if (last === FOUR)
    return [
      [PLUS, 0.8],
      [TIMES, 0.2],
    ];
  if (last === PLUS || last === TIMES) return [[FIVE, 1]];
  // after the sum of 4 and 5 the result is nearly always that of the sign
  if (last === FIVE)
    return sign === PLUS
      ? [[NINE, 1]]
      : [
          [TWENTY, 0.9],
          [NINE, 0.1],
        ];
  return [[END, 1]];
}

const answer = [THREE, FOUR, PLUS, FIVE, NINE, END];

/** Continues each prefix by drawing from the world. */
function world(answers: readonly (readonly number[])[], asked: AnswerPrefix[] = []): CountRight {
  return async (prefixes) => {
    asked.push(...prefixes);
    return prefixes.map(({ answer, kept, forbidden, purpose }) => {
      let right = 0;
      for (let sample = 0; sample < rollouts; sample++) {
        const random = stream("world", answer, kept, purpose, sample);
        const text = answers[answer]!.slice(0, kept);
        while (text.at(-1) !== END) {
          const may = nextTokens(text).filter(([id]) => text.length > kept || id !== forbidden);
          let left = random.next() * may.reduce((sum, [, probability]) => sum + probability, 0);
          text.push((may.find(([, probability]) => (left -= probability) < 0) ?? may.at(-1) ?? [END])[0]);
        }
        right += Number(text.includes(TIMES) && text.at(-2) === TWENTY);
      }
      return right;
    });
  };
}

describe("findCriticalTokens", () => {
  test("finds the wrong sign, which is the likelier one, and not what follows from it", async () => {
    const [found] = await findCriticalTokens([answer], world([answer]), { rollouts });
    // before the sign, .2 * .9 = .18 are right: of 64 within three deviations of sqrt(.18 * .82 / 64) = .048
    for (const share of found!.right.slice(0, 2)) expect(Math.abs(share - 0.18)).toBeLessThan(0.144);
    expect([...found!.right.slice(2)]).toEqual([0, 0, 0, NaN]);
    expect(found!.critical!.place).toBe(2);
  });

  test("checks it by continuations of their own: nothing is right with it, nine tenths are without", async () => {
    const asked: AnswerPrefix[] = [];
    const [found] = await findCriticalTokens([answer], world([answer], asked), { rollouts });
    const { check } = found!.critical!;
    expect(check.with).toBe(0);
    // 64 times .9 = 57.6, three deviations are 3 sqrt(64 * .9 * .1) = 7.2; and 64 times .18 = 11.5, 9.2
    expect(Math.abs(check.without - 57.6)).toBeLessThan(7.2);
    expect(Math.abs(check.free - 11.52)).toBeLessThan(9.2);
    expect(asked.slice(-3)).toEqual([
      { answer: 0, kept: 3, purpose: "with" },
      { answer: 0, kept: 2, purpose: "free" },
      { answer: 0, kept: 2, purpose: "without", forbidden: PLUS },
    ]);
  });

  test("tests the positions asked for, and never an answer's last token", async () => {
    const asked: AnswerPrefix[] = [];
    const answers = [answer, answer];
    const positions = (i: number): number[] => (i === 0 ? [0, 3] : [4]);
    const found = await findCriticalTokens(answers, world(answers, asked), { rollouts, positions });
    const searched = asked.filter(({ purpose }) => purpose === "search");
    expect(searched.map(({ answer, kept }) => [answer, kept])).toEqual([
      [0, 1],
      [0, 4],
      [1, 5],
    ]);
    expect(found.map(({ critical }) => critical?.place)).toEqual([3, 4]);
    for (const place of [5, -1, 1.5])
      await expect(
        findCriticalTokens([answer], world([answer]), { rollouts, positions: () => [place] }),
      ).rejects.toThrow(userError("out-of-range", "answer 0"));
  });

  test("has none of an answer that still leads to right ones at its end, and draws no checks for it", async () => {
    const asked: AnswerPrefix[] = [];
    const short = [THREE, FOUR, END];
    const found = await findCriticalTokens([short, [END], []], world([short], asked), { rollouts });
    expect(found.map(({ critical }) => critical)).toEqual([undefined, undefined, undefined]);
    expect(asked.map(({ purpose }) => purpose)).toEqual(["search", "search"]);
  });

  test("refuses counts that cannot be", async () => {
    const of =
      (counts: number[]): CountRight =>
      async () =>
        counts;
    for (const counts of [[0, 0, 0, 0], [0, 0, 0, 0, 65], [0, 0, 0, 0, 0.5], []])
      await expect(findCriticalTokens([answer], of(counts), { rollouts })).rejects.toThrow(userError("wrong-shape"));
    await expect(findCriticalTokens([answer], of([]), { rollouts: 0 })).rejects.toThrow(
      userError("invalid-option", "rollouts"),
    );
  });
});

const search = (right: number[], place: number | undefined, [kept, free, without] = [0, 0, 0]) => ({
  right: Float64Array.from(right),
  ...(place !== undefined && { critical: { place, check: { with: kept!, free: free!, without: without! } } }),
});

describe("recoveryOf", () => {
  test("is the unbiased pass@k, answers of one question counting as one", () => {
    // of four continuations each: question 7 has answers with 1 and with 3 right without their token, question 8 one with 2
    const found = [
      search([0, NaN], 0, [0, 1, 1]),
      search([0, NaN], undefined),
      search([0, NaN], 0, [0, 1, 3]),
      search([0, NaN], 0, [0, 2, 2]),
    ];
    const recovery = recoveryOf(found, { rollouts: 4, questionOf: (i) => [7, 7, 7, 8][i]! })!;
    expect(recovery.k).toEqual([1, 2, 4]);
    // pass@2 = 1 - C(4 - c, 2) / 6: c = 1 gives 1/2, 2 gives 5/6, 3 gives 1; means over (1/2 + 1) / 2 = 3/4 and 5/6
    const without = recovery.passAtK.without.map(({ value }) => value);
    expect(without[0]).toBeCloseTo(0.5, 12);
    expect(without[1]).toBeCloseTo((3 / 4 + 5 / 6) / 2, 12);
    expect(without[2]).toBe(1);
    expect(recovery.passAtK.with.map(({ value }) => value)).toEqual([0, 0, 0]);
    expect(recovery.againstWith.difference).toBeCloseTo(0.5, 12);
    expect(recovery.againstFree.difference).toBeCloseTo((0.25 + 0) / 2, 12); // (.25 + .75) / 2 - .25, .5 - .5
  });

  test("is nothing where no token was found", () => {
    expect(recoveryOf([search([0.5], undefined)], { rollouts: 4, questionOf: () => 0 })).toBeUndefined();
  });

  test("of a number of continuations that is no power of two ends with all of them", () => {
    expect(recoveryOf([search([0], 0)], { rollouts: 6, questionOf: () => 0 })!.k).toEqual([1, 2, 4, 6]);
    expect(recoveryOf([search([0], 0)], { rollouts: 1, questionOf: () => 0 })!.k).toEqual([1]);
  });
});

describe("agreementOf", () => {
  // tested tokens alone count: three of the first answer, two of the second; the third has no critical token
  const found = [search([0.5, 0, 0, NaN], 1), search([0, 0, NaN], 0), search([0.5, NaN], undefined)];
  const input = { found, questionOf: (i: number) => i };

  test("is the area over the tested tokens of all answers, and how often the highest is the critical one", () => {
    const suspicion = [
      [0.1, 0.9, 0.2, 99],
      [0.3, 0.4, 99],
      [99, 99],
    ];
    const { areaUnderCurve, highest } = agreementOf(suspicion, input)!;
    // criticals .9 and .3 against .1, .2, .4: three pairs of three won, and two of three
    expect(areaUnderCurve.value).toBeCloseTo(5 / 6, 12);
    expect(highest.value).toBe(0.5);
    expect(areaUnderCurve.low).toBeLessThanOrEqual(5 / 6);
    expect(areaUnderCurve.high).toBe(1);
  });

  test("of one number for all tokens is chance", () => {
    const { areaUnderCurve, highest } = agreementOf(
      [
        [1, 1, 1, 1],
        [1, 1, 1],
        [1, 1],
      ],
      input,
    )!;
    expect(areaUnderCurve).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
    expect(highest.value).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12); // ties share
  });

  test("takes infinite numbers", () => {
    const suspicion = [
      [-Infinity, Infinity, 0, 0],
      [Infinity, -Infinity, 0],
      [0, 0],
    ];
    expect(agreementOf(suspicion, input)).toMatchObject({ areaUnderCurve: { value: 1 }, highest: { value: 1 } });
  });

  test("against a control is the difference on the same draws", () => {
    const good = [
      [0, 1, 0, 0],
      [1, 0, 0],
      [0, 0],
    ];
    const { gain } = comparedAgreement(good, good, input)!;
    expect(gain.areaUnderCurve).toEqual({ value: 0, low: 0, high: 0 });
    expect(gain.highest).toEqual({ value: 0, low: 0, high: 0 });
    const flat = good.map((answer) => answer.map(() => 3)); // an area of 1/2; the highest is shared by three, and by two
    const over = comparedAgreement(good, flat, input)!.gain;
    expect(over.areaUnderCurve).toEqual({ value: 0.5, low: 0.5, high: 0.5 });
    expect(over.highest.value).toBeCloseTo(1 - (1 / 3 + 1 / 2) / 2, 12);
  });
});
