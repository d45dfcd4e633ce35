import { areaByRows, areaGain, drawRows, type Estimate, type GradedRow } from "../area-by-rows.ts";
import { byQuestion } from "./by-question.ts";
import type { CriticalSearch } from "./find-critical-tokens.ts";
import { questionMean, type QuestionMean } from "./recovery.ts";

/** How well a number of each token points at the tokens that continuations have found critical. */
export interface Agreement {
  /** How likely it gives the critical token more than another one of the answers. 0.5 is chance. */
  readonly areaUnderCurve: Estimate;
  /** Share of the answers whose critical token has the highest number; n that tie for it count 1 / n. */
  readonly highest: QuestionMean;
}

/** Agreement with what was found, and by how much it is more than that of the control. */
export interface ComparedAgreement extends Agreement {
  readonly gain: { readonly areaUnderCurve: Estimate; readonly highest: QuestionMean };
}

/** What is compared, of answers in which a critical token was found, over the tokens that were tested. */
export interface AgreementInput {
  readonly found: readonly CriticalSearch[];
  /** Names the question of each answer; questions are what is drawn again. */
  readonly questionOf: (answer: number) => number;
}

/** One number for each token of each answer: high = thought to be critical. */
export type TokenSuspicion = readonly ArrayLike<number>[];

/** @returns undefined where no critical token was found */
export function agreementOf(suspicion: TokenSuspicion, input: AgreementInput): Agreement | undefined {
  const rows = gradedRows(suspicion, input);
  if (rows.length === 0) return undefined;
  return { areaUnderCurve: areaByRows(rows, draws(rows)), highest: questionMean(rows.map(({ highest }) => highest)) };
}

/** The same beside a control of the same tokens. */
export function comparedAgreement(
  suspicion: TokenSuspicion,
  control: TokenSuspicion,
  input: AgreementInput,
): ComparedAgreement | undefined {
  const own = agreementOf(suspicion, input);
  if (own === undefined) return undefined;
  const [rows, others] = [gradedRows(suspicion, input), gradedRows(control, input)];
  const differences = rows.map(({ highest }, i) => highest - others[i]!.highest);
  return {
    ...own,
    gain: { areaUnderCurve: areaGain(rows, others, draws(rows)), highest: questionMean(differences) },
  };
}

const draws = (rows: readonly GradedRow[]) => drawRows(rows.length, "critical tokens");

/** A row for each question, of its answers with a critical token. */
function gradedRows(
  suspicion: TokenSuspicion,
  { found, questionOf }: AgreementInput,
): (GradedRow & { highest: number })[] {
  const graded = found.flatMap(({ right, critical }, answer) => {
    if (critical === undefined) return [];
    const tested = [...right.keys()].filter((t) => !Number.isNaN(right[t]!));
    const scores = tested.map((t) => finite(suspicion[answer]![t]!));
    const positive = tested.map((t) => Number(t === critical.place));
    return [{ question: questionOf(answer), scores, positive, highest: shareOfHighest(scores, positive) }];
  });
  return byQuestion(graded, ({ question }) => question).map((group) => ({
    scores: group.flatMap(({ scores }) => scores),
    positive: group.flatMap(({ positive }) => positive),
    highest: group.reduce((sum, { highest }) => sum + highest, 0) / group.length,
  }));
}

/** Infinities as the numbers next to them, which can be subtracted. */
const finite = (value: number): number => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));

function shareOfHighest(scores: readonly number[], positive: readonly number[]): number {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const first = scores.flatMap((score, i) => (score === most ? [positive[i]!] : []));
  return first.reduce((a, b) => a + b, 0) / first.length;
}
