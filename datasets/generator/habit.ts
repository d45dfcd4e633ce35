import type { RandomStream } from "../../src/system/random.ts";
import { KIND, type NoisySolution } from "./noise.ts";
import { calculate, solutionTokens, type Problem, type Step } from "./problems.ts";
import { LARGEST } from "./words.ts";

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
      staysInRange(sum, steps.slice(i + 1));
    if (wrong) mistakes.add(i);
    const operator = wrong ? "+" : step.operator;
    written.push({ left, operator, right: step.right, result: calculate(left, operator, step.right) });
  });

  const tokens = solutionTokens(written, things);
  const right = solutionTokens(steps, things);
  const kinds = tokens.map((token, t) => {
    if (token === right[t]) return KIND.clean;
    const isOperator = t % 7 === 1 && t < 7 * steps.length;
    return isOperator && mistakes.has(Math.floor(t / 7)) ? KIND.wrongOperator : KIND.carriedOn;
  });
  return { tokens, kinds };
}

/** Whether a result, and all that the later steps make of it, lie within 0..99. */
function staysInRange(result: number, later: readonly Step[]): boolean {
  let value = result;
  return (
    value <= LARGEST &&
    later.every((step) => {
      value = calculate(value, step.operator, step.right);
      return value >= 0 && value <= LARGEST;
    })
  );
}
