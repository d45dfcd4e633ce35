import { describe, expect, test } from "@jest/globals";
import { type Outcomes, chooseResponses } from "../../src/reward/index.ts";
import { userError } from "../user-error.ts";

const now = { seed: 5, iteration: 2 };
const kept = (outcomes: Outcomes, options: Parameters<typeof chooseResponses>[1]) =>
  Array.from(chooseResponses(outcomes, options).kept);

// questions: all wrong, half right (mean reward 0 in the range -1 to 1), all right, one of three right
const outcomes: Outcomes = {
  groups: [0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3],
  rewards: [-1, -1, 1, -1, 1, -1, 1, 1, -1, 1, -1],
  range: "plus-minus-one",
};

describe("the filter", () => {
  test("drops questions that are all wrong or all right, and only those", () => {
    expect(kept(outcomes, { ...now, keep: "all" })).toEqual([0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1]);
    const { questions, passRates } = chooseResponses(outcomes, now);
    expect(questions).toEqual({ kept: 2, allWrong: 1, allRight: 1, surplus: 0 });
    expect(passRates.get(1)).toBe(0.5);
    expect(passRates.get(3)).toBeCloseTo(1 / 3, 12);
  });

  test("keeps one right and one wrong response of each question left", () => {
    for (let iteration = 0; iteration < 20; iteration++) {
      const marks = kept(outcomes, { seed: 1, iteration });
      for (const group of [1, 3]) {
        const rewards = outcomes.rewards as number[];
        const chosen = rewards.filter((_, k) => outcomes.groups[k] === group && marks[k]);
        expect(chosen.sort()).toEqual([-1, 1]);
      }
      expect(marks.reduce((sum, mark) => sum + mark, 0)).toBe(4);
    }
  });

  test("draws every response of a question sooner or later, and the same ones from the same seed", () => {
    const seen = new Set<number>();
    for (let iteration = 0; iteration < 60; iteration++)
      kept(outcomes, { seed: 1, iteration }).forEach((mark, k) => mark && seen.add(k));
    expect(seen).toEqual(new Set([2, 3, 4, 5, 8, 9, 10]));
    expect(kept(outcomes, now)).toEqual(kept(outcomes, now));
  });

  test("keeps at most so many questions, the first, and counts the others", () => {
    const { kept, questions } = chooseResponses(outcomes, { ...now, keep: "all", atMost: 1 });
    expect(Array.from(kept)).toEqual([0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    expect(questions).toEqual({ kept: 1, allWrong: 1, allRight: 1, surplus: 1 });
    expect(() => chooseResponses(outcomes, { ...now, atMost: 0 })).toThrow(userError("invalid-option", "atMost"));
  });

  test("draws for a question alone what it draws among others", () => {
    const alone: Outcomes = { groups: [3, 3, 3], rewards: [-1, 1, -1], range: "plus-minus-one" };
    expect(kept(alone, now)).toEqual(kept(outcomes, now).slice(8));
  });

  test("lets everything that counts pass when there is none", () => {
    const counted = outcomes.groups as number[];
    expect(kept({ ...outcomes, counted: counted.map((_, k) => Number(k !== 4)) }, { ...now, keep: "none" })).toEqual(
      counted.map((_, k) => Number(k !== 4)),
    );
  });

  test("does not see dropped responses: a question whose only right answer was dropped is all wrong", () => {
    const counted = [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1];
    expect(chooseResponses({ ...outcomes, counted }, now).questions).toEqual({
      kept: 1,
      allWrong: 2,
      allRight: 1,
      surplus: 0,
    });
  });

  test("has a tolerance for rewards that are not binary", () => {
    const near: Outcomes = { groups: [0, 0, 1, 1], rewards: [0.01, 0.0, 0.98, 0.2], range: "zero-one" };
    expect(chooseResponses(near, { ...now, tolerance: 0.05 }).questions).toEqual({
      kept: 1,
      allWrong: 1,
      allRight: 0,
      surplus: 0,
    });
    // one right answer of 50 is 0.02
    const rare: Outcomes = { groups: Array(50).fill(0), rewards: [1, ...Array<number>(49).fill(0)], range: "zero-one" };
    expect(chooseResponses(rare, now).questions.kept).toBe(1);
    expect(chooseResponses(rare, { ...now, tolerance: 0.03 }).questions.allWrong).toBe(1);
  });

  test.each([
    [[0.6, 0.7], { kept: 0, allWrong: 0, allRight: 1, surplus: 0 }],
    [[0.3, 0.4], { kept: 0, allWrong: 1, allRight: 0, surplus: 0 }],
  ])("drops a question whose middling rewards %j make no pair", (rewards, questions) => {
    const { kept: marks, ...choice } = chooseResponses({ groups: [0, 0], rewards, range: "zero-one" }, now);
    expect(choice.questions).toEqual(questions);
    expect(Array.from(marks)).toEqual([0, 0]);
  });

  test("refuses impossible options", () => {
    expect(() => chooseResponses(outcomes, { ...now, keep: "best" as "all" })).toThrow(
      userError("invalid-option", "best"),
    );
    expect(() => chooseResponses(outcomes, { ...now, tolerance: 0.5 })).toThrow(
      userError("invalid-option", "tolerance"),
    );
  });
});
