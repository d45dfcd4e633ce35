/**
 * How near a response's number comes to the reference's: the graded reward for estimates, such as PALACE's of the tokens that a
 * model has thought before its answer (https://arxiv.org/abs/2508.00912). The paper's form is not given; this one is ours.
 *
 *     r(y) = 1 - min(1, |number(y) - n| / |n|)      0 where y has no number; for n = 0: 1 if y says 0, else 0
 */
import type { Entry } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { extractAnswer, referenceAnswer } from "../../text/answers/extract.ts";
import { valueOf } from "../../text/answers/forms.ts";
import { readAnswer } from "../../text/answers/read-answer.ts";
import { placeOf } from "../reward-sum.ts";
import type { Reward } from "../reward.ts";
import { weightOption } from "./options.ts";

/**
 * The reward for a number near the reference's.
 *
 * @throws UserError, when it scores, for a reference without a number (naming row and response)
 */
export function closenessReward(): Reward {
  return {
    name: "closeness",
    score: (group) =>
      group.map((response) => {
        const wanted = numberIn(referenceAnswer(response.reference));
        if (wanted === undefined)
          throw new UserError("reward-failed", "The reward closeness finds no number in the reference.", {
            where: placeOf(response),
            fix: "It is for questions whose answers are single numbers.",
          });
        const found = numberIn(extractAnswer(response.text)?.text);
        if (found === undefined) return 0;
        const error = Math.abs(found - wanted);
        return error === 0 ? 1 : Math.max(0, 1 - error / Math.abs(wanted));
      }),
  };
}

function numberIn(answer: string | undefined): number | undefined {
  if (answer === undefined) return undefined;
  const value = valueOf(readAnswer(answer));
  if (value.kind !== "number") return undefined;
  const number = Number(value.top) / Number(value.bottom);
  return Number.isFinite(number) ? number : undefined;
}

export const closenessEntry = {
  name: "closeness",
  summary: "How near the response's number comes to the reference's.",
  formula: "r(y) = 1 - min(1, |number(y) - n| / |n|), 0 without a number",
  paper: "https://arxiv.org/abs/2508.00912",
  options: { weight: weightOption },
  notes: [
    "For answers that are estimates. PALACE, which estimates how many tokens a model has thought, calls one right within 33 %, a " +
      "closeness of .67 or more; the graded form is ours.",
  ],
  create: closenessReward,
} as const satisfies Entry<Reward>;
