import type { Estimate } from "../../evaluation/area-by-rows.ts";
import {
  agreementOf,
  comparedAgreement,
  type Agreement,
  type AgreementInput,
  type ComparedAgreement,
  type TokenSuspicion,
} from "../../evaluation/critical/agreement.ts";
import type { CriticalSearch } from "../../evaluation/critical/find-critical-tokens.ts";
import { recoveryOf, type Recovery } from "../../evaluation/critical/recovery.ts";
import type { GivenAnswer } from "./answers.ts";
import type { TokenScores } from "./token-scores.ts";

/** A wrong answer with what was found of it, and what models say of its tokens. */
export interface SearchedAnswer extends GivenAnswer {
  readonly search: CriticalSearch;
  readonly scores: TokenScores;
}

/** A number of each token beside what was found. */
export interface NamedAgreement {
  readonly name: string;
  readonly agreement: Agreement | ComparedAgreement;
}

/** All that is found over the wrong answers. */
export interface Findings {
  readonly answers: readonly SearchedAnswer[];
  readonly found: readonly SearchedAnswer[];
  /** Those of `found` whose question the model still solves from before the token, by the check's continuations. */
  readonly decisive: readonly SearchedAnswer[];
  readonly recovery: Recovery | undefined;
  /** The control first: the probability under the model that is searched. */
  readonly agreements: readonly NamedAgreement[];
  /** The same over the decisive tokens alone. */
  readonly decisiveAgreements: readonly NamedAgreement[];
}

/** Below this share of right continuations an answer counts as lost, as in the rule. */
const lost = 0.05;

/** The names of what is compared. */
export const names = {
  base: "1 - p of the model itself",
  estimate: "1 - s of the contrast",
  own: "first difference from the data's answer",
} as const;

/** @param weights the data's column */
export function findingsOf(
  answers: readonly SearchedAnswer[],
  { rollouts, weights }: { rollouts: number; weights: string | undefined },
): Findings {
  const searches = answers.map(({ search }) => search);
  const questionOf = (answer: number): number => answers[answer]!.rowId;
  const isDecisive = ({ critical }: CriticalSearch): boolean =>
    critical !== undefined && critical.check.free / rollouts >= lost;
  return {
    answers,
    found: answers.filter(({ search }) => search.critical !== undefined),
    decisive: answers.filter(({ search }) => isDecisive(search)),
    recovery: recoveryOf(searches, { rollouts, questionOf }),
    agreements: agreementsOf(answers, { found: searches, questionOf }, weights),
    decisiveAgreements: agreementsOf(
      answers,
      { found: searches.map((search) => (isDecisive(search) ? search : { right: search.right })), questionOf },
      weights,
    ),
  };
}

function agreementsOf(
  answers: readonly SearchedAnswer[],
  input: AgreementInput,
  weights: string | undefined,
): NamedAgreement[] {
  const suspicion = (of: (answer: SearchedAnswer) => ArrayLike<number> | undefined): TokenSuspicion | undefined => {
    const lists = answers.map(of);
    return lists.every((list) => list !== undefined) ? lists : undefined;
  };
  const negated = (values: Float32Array | undefined) => values?.map((value) => -value);
  const base = suspicion(({ scores }) => negated(scores.logProb))!;
  const control = agreementOf(base, input);
  if (control === undefined) return [];
  const others = [
    { name: names.estimate, tokens: suspicion(({ scores }) => negated(scores.logEstimate)) },
    { name: `the column ${weights}`, tokens: suspicion((answer) => answer.weights) },
    { name: names.own, tokens: suspicion(firstDifference) },
  ];
  return [
    { name: names.base, agreement: control },
    ...others.flatMap(({ name, tokens }) =>
      tokens === undefined ? [] : [{ name, agreement: comparedAgreement(tokens, base, input)! }],
    ),
  ];
}

/** 1 where an answer parts from the data's own, 0 elsewhere. */
function firstDifference({ ids, own }: SearchedAnswer): number[] | undefined {
  const place = own && ids.findIndex((id, t) => id !== own[t]);
  return place === undefined ? undefined : ids.map((_, t) => Number(t === place));
}

/** What the critical token of an answer is. */
export interface CriticalToken {
  readonly place: number;
  readonly token: string;
  /** Under the model that is searched. */
  readonly probability: number;
  /** s of the contrast. */
  readonly estimate?: number;
}

export function criticalOf(
  { search, ids, scores }: SearchedAnswer,
  { piece }: { piece: (id: number) => string },
): CriticalToken | undefined {
  if (search.critical === undefined) return undefined;
  const { place } = search.critical;
  const estimate = scores.logEstimate?.[place];
  return {
    ...{ place, token: piece(ids[place]!), probability: Math.exp(scores.logProb[place]!) },
    ...(estimate !== undefined && { estimate: Math.exp(estimate) }),
  };
}

/** Whether an interval of a difference excludes 0. */
export function isShown({ low, high }: Pick<Estimate, "low" | "high">): boolean {
  return low !== null && high !== null && (low > 0 || high < 0);
}
