import type { RandomStream } from "../../src/system/random.ts";
import { calculate, pick, solutionTokens, type Problem, type Step } from "./problems.ts";
import { FILLER, JUNK, LARGEST, TAIL } from "./words.ts";

/** What a token of a noisy solution is. */
export const KIND = {
  clean: 0,
  wrongResult: 1,
  carriedOn: 2,
  junkWord: 3,
  filler: 4,
  tail: 5,
  wrongOperator: 6,
} as const;

/**
 * Whether nothing that stands before a token speaks for it. A number that follows from an earlier mistake is right given
 * what was written, so it is not noise: there is nothing wrong to learn from it.
 */
export function isNoise(kind: number): boolean {
  return kind !== KIND.clean && kind !== KIND.carriedOn;
}

export interface NoisySolution {
  tokens: string[];
  /** One `KIND` per token. */
  kinds: number[];
}

const CORRUPT_SHARE = 0.4;

/**
 * Replaces the result of a step by a wrong number with probability 0.4 and carries it on: the following steps calculate
 * with the wrong number. A token that differs from the clean solution's token at its place is
 * `wrongResult` where the mistake is made, `carriedOn` where a number follows from an earlier mistake.
 */
export function corruptResults(random: RandomStream, { steps, things }: Problem): NoisySolution {
  const noisy: Step[] = [];
  const mistakes = new Set<number>();
  steps.forEach((step, i) => {
    const left = i === 0 ? step.left : noisy[i - 1]!.result;
    let result = calculate(left, step.operator, step.right);
    const later = steps.slice(i + 1);
    const wrong = random.next() < CORRUPT_SHARE ? wrongResults(result, step.result, later) : [];
    if (wrong.length > 0) {
      result = pick(random, wrong);
      mistakes.add(i);
    }
    noisy.push({ left, operator: step.operator, right: step.right, result });
  });

  return mistaken(noisy, { steps, things }, { mistakes, place: 4, kind: KIND.wrongResult });
}

/**
 * A solution with mistakes as tokens. In the steps `mistakes` the token at `place` of a step's seven is of the kind, where
 * it differs from the right solution's; every other token that differs is `carriedOn`.
 */
export function mistaken(
  written: readonly Step[],
  { steps, things }: Pick<Problem, "steps" | "things">,
  { mistakes, place, kind }: { mistakes: ReadonlySet<number>; place: number; kind: number },
): NoisySolution {
  const tokens = solutionTokens(written, things);
  const right = solutionTokens(steps, things);
  const kinds = tokens.map((token, t) => {
    if (token === right[t]) return KIND.clean;
    const isPlace = t % 7 === place && t < 7 * steps.length;
    return isPlace && mistakes.has(Math.floor(t / 7)) ? kind : KIND.carriedOn;
  });
  return { tokens, kinds };
}

/** Numbers that differ from both the calculated and the true result, and keep every later number different and in 0..99. */
function wrongResults(calculated: number, truth: number, later: readonly Step[]): number[] {
  return Array.from({ length: LARGEST + 1 }, (_, n) => n).filter((n) => {
    if (n === calculated || n === truth) return false;
    const results = resultsAfter(n, later);
    return results.every(isInRange) && results.every((value, i) => value !== later[i]!.result);
  });
}

/** What later steps make of a result. */
export function resultsAfter(result: number, later: readonly Step[]): number[] {
  let value = result;
  return later.map(({ operator, right }) => (value = calculate(value, operator, right)));
}

/** Whether a problem may have the number. */
export const isInRange = (value: number): boolean => value >= 0 && value <= LARGEST;

/** Inserts junk words, filler sentences and a tail until a third of the tokens is noise. */
export function insertJunk(random: RandomStream, { steps, things }: Problem): NoisySolution {
  const clean = solutionTokens(steps, things);
  const target = Math.round(0.42 * (clean.length + 1)); // the last piece overshoots: a third in all
  const before: { tokens: string[]; kind: number }[][] = clean.map(() => []);
  const tail = random.next() < 0.5 ? pick(random, TAIL).split(" ") : [];
  for (let noise = tail.length; noise < target;) {
    const isFiller = random.next() < 0.3;
    const tokens = isFiller ? pick(random, FILLER).split(" ") : [pick(random, JUNK)];
    const place = isFiller ? 7 * random.below(steps.length + 1) : random.below(clean.length);
    before[place]!.push({ tokens, kind: isFiller ? KIND.filler : KIND.junkWord });
    noise += tokens.length;
  }
  const pieces = clean.flatMap((token, t) => [...before[t]!, { tokens: [token], kind: KIND.clean }]);
  pieces.push({ tokens: tail, kind: KIND.tail });
  return {
    tokens: pieces.flatMap((piece) => piece.tokens),
    kinds: pieces.flatMap((piece) => piece.tokens.map(() => piece.kind)),
  };
}
