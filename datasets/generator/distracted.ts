import type { RandomStream } from "../../src/system/random.ts";
import { makeProblem, pick, solutionTokens, type Problem } from "./problems.ts";
import { DISTRACTION, FILLER, LARGEST, NAMES, THINGS } from "./words.ts";

/** A problem whose few sentences that matter lie among many that do not. */
export interface DistractedProblem {
  question: string;
  answer: string;
  /** Per token of question: 1 = it belongs to a sentence that the answer depends on. */
  key: number[];
}

const MOST_STEPS = 3;
const FILLER_SHARE = 0.25;

/**
 * A problem of at most three steps between distracting sentences, `words` tokens or a few more. Distracting sentences
 * say what else people have, want and see, of things that are not counted.
 */
export function makeDistracted(random: RandomStream, words: number): DistractedProblem {
  let problem: Problem;
  do problem = makeProblem(random);
  while (problem.steps.length > MOST_STEPS);
  const own = problem.question.split(/(?<=[.?]) /);
  const sentences = own.map((text) => ({ text, key: isDistraction(text, problem.things) ? 0 : 1 }));
  const count = (): number => sentences.reduce((sum, { text }) => sum + text.split(" ").length, 0);
  while (count() < words) {
    const place = random.below(sentences.length); // never behind the question itself
    sentences.splice(place, 0, { text: distraction(random, problem.things), key: 0 });
  }
  return {
    question: sentences.map(({ text }) => text).join(" "),
    answer: solutionTokens(problem.steps, problem.things).join(" "),
    key: sentences.flatMap(({ text, key }) => text.split(" ").map(() => key)),
  };
}

/** Whether a sentence of a problem is one of its own distracting ones. */
function isDistraction(sentence: string, things: string): boolean {
  return sentence.startsWith("The house of ") || !sentence.split(" ").includes(things);
}

function distraction(random: RandomStream, things: string): string {
  if (random.next() < FILLER_SHARE) return pick(random, FILLER);
  const values: Record<string, string> = {
    who: pick(random, NAMES),
    pal: pick(random, NAMES),
    other: pick(
      random,
      THINGS.filter((name) => name !== things),
    ),
    n: String(2 + random.below(LARGEST - 1)),
  };
  return pick(random, DISTRACTION).replace(/\{(\w+)\}/g, (_, name: string) => values[name]!);
}
