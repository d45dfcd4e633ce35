import { pairedBootstrap, type PairedComparison } from "../paired-bootstrap.ts";
import { passAtK } from "../pass-at-k.ts";
import { byQuestion } from "./by-question.ts";
import type { CriticalCheck, CriticalSearch } from "./find-critical-tokens.ts";

/** A mean over questions with the bounds of its 95 % interval when questions are drawn again. */
export interface QuestionMean {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What becomes of wrong answers whose critical token stays, is left free, or must not come next. */
export interface Recovery {
  /** Numbers of continuations k: 1, 2, 4, … and all that were drawn. */
  readonly k: readonly number[];
  /** Chance that one of k is right, per k: unbiased, the mean over questions. */
  readonly passAtK: Readonly<Record<keyof CriticalCheck, readonly QuestionMean[]>>;
  /** Differences of the share that is right (k = 1), paired by question. */
  readonly againstWith: PairedComparison;
  readonly againstFree: PairedComparison;
}

export const recoveryModes = ["with", "free", "without"] as const satisfies readonly (keyof CriticalCheck)[];

/**
 * pass@k of the checks' continuations. Answers to one question count as one: their mean.
 * @param questionOf names the question of each answer
 * @returns undefined where no critical token was found
 */
export function recoveryOf(
  found: readonly CriticalSearch[],
  { rollouts, questionOf }: { rollouts: number; questionOf: (answer: number) => number },
): Recovery | undefined {
  const checked = found.flatMap(({ critical }, answer) => (critical ? [{ answer, check: critical.check }] : []));
  if (checked.length === 0) return undefined;
  const groups = byQuestion(checked, ({ answer }) => questionOf(answer));
  const means = (of: (check: CriticalCheck) => number): number[] =>
    groups.map((group) => group.reduce((sum, { check }) => sum + of(check), 0) / group.length);
  const k = powersUpTo(rollouts);
  const curve = (mode: keyof CriticalCheck): QuestionMean[] =>
    k.map((size) => questionMean(means((check) => passAtK(rollouts, check[mode], size))));
  const shares = (mode: keyof CriticalCheck): number[] => means((check) => check[mode] / rollouts);
  return {
    k,
    passAtK: { with: curve("with"), free: curve("free"), without: curve("without") },
    againstWith: pairedBootstrap(shares("without"), shares("with")),
    againstFree: pairedBootstrap(shares("without"), shares("free")),
  };
}

/** A mean with its interval, by the paired bootstrap against zeros. */
export function questionMean(values: readonly number[]): QuestionMean {
  const { difference, low, high } = pairedBootstrap(
    values,
    values.map(() => 0),
  );
  return { value: difference, low, high };
}

function powersUpTo(most: number): number[] {
  const powers: number[] = [];
  for (let k = 1; k < most; k *= 2) powers.push(k);
  return [...powers, most];
}
