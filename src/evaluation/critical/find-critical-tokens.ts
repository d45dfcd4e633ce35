import { UserError } from "../../system/errors.ts";
import { criticalToken, type CriticalTokenOptions } from "./critical-token.ts";

/** Where continuations begin: behind the first tokens of a wrong answer. */
export interface AnswerPrefix {
  /** Which of the answers, from 0. */
  readonly answer: number;
  /** So many of its tokens stay. */
  readonly kept: number;
  /** The id that must not come next. */
  readonly forbidden?: number;
  /**
   * `search`: to find the critical token. The others check one that was found, by continuations of their own: `with`
   * behind it, `free` before it, `without` before it where it must not come next.
   */
  readonly purpose: "search" | "with" | "free" | "without";
}

/** Draws continuations and tells how many of each prefix are right: one whole number each. */
export type CountRight = (prefixes: readonly AnswerPrefix[]) => Promise<readonly number[]>;

/** What is drawn for the search, and when a token counts as critical. */
export interface FindOptions extends CriticalTokenOptions {
  /** Continuations that `count` draws of each prefix. The paper draws 64. */
  readonly rollouts: number;
  /** Tokens of an answer to test, by its number and length; default all but the last. */
  readonly positions?: (answer: number, tokens: number) => readonly number[];
}

/** Right ones among the continuations that check a critical token, all drawn anew. */
export type CriticalCheck = Readonly<Record<"with" | "free" | "without", number>>;

/** What was found of one wrong answer. */
export interface CriticalSearch {
  /** Share of right continuations behind each token, `[tokens]`; NaN where none were drawn. */
  readonly right: Float64Array;
  /** Place of the critical token in the answer, and what its check says; absent where none was found. */
  readonly critical?: { readonly place: number; readonly check: CriticalCheck };
}

/**
 * Finds the critical token of each wrong answer by continuations (https://arxiv.org/abs/2411.19943, section 2), and
 * checks it: is the question solved where the token must not come next, and is it not where it stays? The continuations
 * that found a token say little of it, as it was chosen for them; so others are drawn, also from before the token with
 * nothing forbidden, which tells what drawing anew does by itself.
 *
 * @param answers token ids of wrong answers, without their prompts. A last token is never tested: what ends an answer
 *   leaves nothing to continue
 * @param count such as `modelRollouts`; asked twice: for all prefixes of the search, then for those of the checks
 * @throws UserError for a number of continuations or a position that cannot be
 * @see https://arxiv.org/abs/2411.19943
 * @example
 * import { findCriticalTokens, type AnswerPrefix } from "tokensift/evaluation";
 *
 * // a world of four continuations each: as long as the answer has not said 7, two of them are right
 * const answer = [3, 7, 5, 0];
 * const right = ({ kept }: AnswerPrefix): number => (answer.slice(0, kept).includes(7) ? 0 : 2);
 * const [found] = await findCriticalTokens([answer], async (prefixes) => prefixes.map(right), { rollouts: 4 });
 * found!.right; //=> [0.5, 0, 0, NaN]
 * found!.critical; //=> { place: 1, check: { with: 0, free: 2, without: 2 } }
 */
export async function findCriticalTokens(
  answers: readonly (readonly number[])[],
  count: CountRight,
  { rollouts, positions = allButLast, below = 0.05 }: FindOptions,
): Promise<CriticalSearch[]> {
  if (!(Number.isSafeInteger(rollouts) && rollouts > 0))
    throw new UserError("invalid-option", `rollouts is ${rollouts}, but must be a whole number above 0`);
  const tested = answers.map(({ length }, answer) => checkedPositions(positions(answer, length), answer, length));
  const searched = tested.flatMap((places, answer) =>
    places.map((t): AnswerPrefix => ({ answer, kept: t + 1, purpose: "search" })),
  );
  const counts = await counted(count, searched, rollouts);
  const shares = answers.map(({ length }) => new Float64Array(length).fill(NaN));
  searched.forEach(({ answer, kept }, i) => (shares[answer]![kept - 1] = counts[i]! / rollouts));
  const found = shares.flatMap((right, answer) => {
    const place = criticalToken(right, { below });
    return place === undefined ? [] : [{ answer, place }];
  });
  const checks = await counted(
    count,
    found.flatMap(({ answer, place }): AnswerPrefix[] => [
      { answer, kept: place + 1, purpose: "with" },
      { answer, kept: place, purpose: "free" },
      { answer, kept: place, purpose: "without", forbidden: answers[answer]![place]! },
    ]),
    rollouts,
  );
  const checkOf = new Map(
    found.map(({ answer, place }, i) => {
      const [kept, free, without] = checks.slice(3 * i);
      return [answer, { place, check: { with: kept!, free: free!, without: without! } }];
    }),
  );
  return shares.map((right, answer) => {
    const critical = checkOf.get(answer);
    return critical === undefined ? { right } : { right, critical };
  });
}

const allButLast = (_: number, tokens: number): number[] =>
  Array.from({ length: Math.max(0, tokens - 1) }, (_, t) => t);

function checkedPositions(places: readonly number[], answer: number, tokens: number): readonly number[] {
  const wrong = places.find((t) => !(Number.isInteger(t) && t >= 0 && t < tokens - 1));
  if (wrong === undefined) return [...new Set(places)];
  throw new UserError("out-of-range", `token ${wrong} cannot be tested`, {
    where: `answer ${answer}`,
    fix: `It has ${tokens} tokens, of which all but the last can be.`,
  });
}

async function counted(
  count: CountRight,
  prefixes: readonly AnswerPrefix[],
  rollouts: number,
): Promise<readonly number[]> {
  if (prefixes.length === 0) return [];
  const counts = await count(prefixes);
  const fits = (right: number): boolean => Number.isInteger(right) && right >= 0 && right <= rollouts;
  if (counts.length === prefixes.length && counts.every(fits)) return counts;
  throw new UserError(
    "wrong-shape",
    `${prefixes.length} numbers from 0 to ${rollouts} are to be counted, one per prefix`,
  );
}
