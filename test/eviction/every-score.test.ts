import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { createFrom, entryNamed, namesOf, optionsSchema } from "../../src/config/catalogue.ts";
import type { MethodChoice } from "../../src/config/method-choice.ts";
import { evictionScores, keepBudget } from "../../src/eviction/index.ts";
import { scoreOf, shape } from "./fixture.ts";

describe.each(namesOf(evictionScores))("%s", (method) => {
  const score = createFrom(evictionScores, { method });

  test("is named as in the catalogue", () => {
    expect(score.name).toBe(method);
  });

  test("gives every entry a finite number, padding 0, and the same again", () => {
    const scores = scoreOf(score);
    expect(scores).toHaveLength(shape.rows * shape.width * shape.heads);
    expect(scores.every(Number.isFinite)).toBe(true);
    for (let row = 0; row < shape.rows; row++)
      expect(
        scores
          .subarray((row * shape.width + shape.lengths[row]!) * shape.heads, (row + 1) * shape.width * shape.heads)
          .every((x) => x === 0),
      ).toBe(true);
    expect(scoreOf(score)).toEqual(scores);
  });

  test("has a budget kept exactly", () => {
    const keep = keepBudget(scoreOf(score), shape, { budget: 3 });
    const kept = keep.reduce((sum, mark) => sum + mark, 0);
    const expected = Array.from(shape.lengths).reduce((sum, length) => sum + Math.min(3, length), 0);
    expect(kept).toBe(expected * shape.heads);
  });

  test("has the defaults that its options state", () => {
    const choice: MethodChoice = { method };
    new Ajv({ strict: true, useDefaults: true }).compile(optionsSchema(entryNamed(evictionScores, method)))(choice);
    expect(scoreOf(createFrom(evictionScores, choice))).toEqual(scoreOf(score));
  });
});
