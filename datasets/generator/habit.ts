import type { RandomStream } from "../../src/system/random.ts";
import { isInRange, KIND, mistaken, resultsAfter, type NoisySolution } from "./noise.ts";
import { calculate, type Problem, type Step } from "./problems.ts";

const HABIT_SHARE = 0.65;

/**
 * Writes a multiplication as an addition with probability 0.65, calculates it so and carries its result on, as somebody
 * would who has the habit. A multiplication stays where the sum equals the product or a later number would leave 0..99.
 * `wrongOperator` marks the signs; `carriedOn` every other token that differs from the right solution.
 */
export function addForMultiply(random: RandomStream, { steps, things }: Problem): NoisySolution {
  const written: Step[] = [];
  const mistakes = new Set<number>();
  steps.forEach((step, i) => {
    const left = i === 0 ? step.left : written[i - 1]!.result;
    const sum = left + step.right;
    const wrong =
      step.operator === "x" &&
      random.next() < HABIT_SHARE &&
      sum !== left * step.right &&
      [sum, ...resultsAfter(sum, steps.slice(i + 1))].every(isInRange);
    if (wrong) mistakes.add(i);
    const operator = wrong ? "+" : step.operator;
    written.push({ left, operator, right: step.right, result: calculate(left, operator, step.right) });
  });

  return mistaken(written, { steps, things }, { mistakes, place: 1, kind: KIND.wrongOperator });
}
