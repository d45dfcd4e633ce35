import type { RandomStream } from "../../src/system/random.ts";
import { ASK, DISTRACTION, GAIN, LARGEST, LOSS, MULTIPLY, NAMES, START, START_GROUPED, THINGS } from "./words.ts";

export type Operator = "+" | "-" | "x";

/** One line of a solution: `left operator right = result`. The next step's `left` is this step's `result`. */
export interface Step {
  left: number;
  operator: Operator;
  right: number;
  result: number;
}

export interface Problem {
  question: string;
  things: string;
  steps: Step[];
}

const DISTRACTION_SHARE = 0.3;
const GROUPED_SHARE = 0.3;

/** A problem of 1 to 4 steps whose every number lies in 0..99. */
export function makeProblem(random: RandomStream): Problem {
  const [who, pal] = two(random, NAMES);
  const [things, other] = two(random, THINGS);
  const count = 1 + random.below(4);
  const sentences: string[] = [];
  const steps: Step[] = [];
  const say = (templates: readonly string[], numbers: { n?: number; k?: number }): void => {
    sentences.push(fill(pick(random, templates), { who, pal, things, other, ...numbers }));
  };
  const distract = (): void => {
    if (random.next() < DISTRACTION_SHARE) say(DISTRACTION, { n: between(random, 2, LARGEST) });
  };

  let current: number;
  if (random.next() < GROUPED_SHARE) {
    const k = between(random, 2, 9);
    const n = between(random, 2, Math.floor(LARGEST / k));
    say(START_GROUPED, { k, n });
    steps.push({ left: k, operator: "x", right: n, result: k * n });
    current = k * n;
  } else {
    current = between(random, 3, 60);
    say(START, { n: current });
  }
  distract();
  while (steps.length < count) {
    const step = nextStep(random, current);
    if (step.operator === "x") say(MULTIPLY, { k: step.right });
    else say(step.operator === "+" ? GAIN : LOSS, { n: step.right });
    distract();
    steps.push(step);
    current = step.result;
  }
  say(ASK, {});
  return { question: sentences.join(" "), things, steps };
}

function nextStep(random: RandomStream, left: number): Step {
  const operators: Operator[] = [];
  if (left <= LARGEST - 2) operators.push("+", "+");
  if (left >= 3) operators.push("-", "-");
  if (left >= 2 && left <= LARGEST / 2) operators.push("x");
  const operator = pick(random, operators);
  const right =
    operator === "+"
      ? between(random, 2, Math.min(40, LARGEST - left))
      : operator === "-"
        ? between(random, 2, Math.min(40, left))
        : between(random, 2, Math.min(5, Math.floor(LARGEST / left)));
  return { left, operator, right, result: calculate(left, operator, right) };
}

export function calculate(left: number, operator: Operator, right: number): number {
  return operator === "+" ? left + right : operator === "-" ? left - right : left * right;
}

/** The tokens of a worked solution: `12 + 7 = 19 books . #### 19`. */
export function solutionTokens(steps: readonly Step[], things: string): string[] {
  const lines = steps.flatMap((s) => [`${s.left}`, s.operator, `${s.right}`, "=", `${s.result}`, things, "."]);
  return [...lines, "####", `${steps.at(-1)!.result}`];
}

export function pick<T>(random: RandomStream, items: readonly T[]): T {
  return items[random.below(items.length)]!;
}

function between(random: RandomStream, low: number, high: number): number {
  return low + random.below(high - low + 1);
}

function two(random: RandomStream, items: readonly string[]): [string, string] {
  const first = random.below(items.length);
  const second = (first + 1 + random.below(items.length - 1)) % items.length;
  return [items[first]!, items[second]!];
}

function fill(template: string, values: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
}
