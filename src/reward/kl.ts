/**
 * Estimates of the distance between policy and reference at one sampled token, d = log p_ref - log p.
 *
 *     unbiased  exp(d) - d - 1   value of KL(p || ref); as a loss its gradient is that of KL(ref || p)
 *     squared   d^2 / 2          its gradient is that of KL(p || ref)
 *     plain     -d               value of KL(p || ref); as a loss its expected gradient is 0: noise without a pull
 *
 * No form with the sign of `plain` turned is offered: it would raise every sampled token.
 */
import { UserError } from "../system/errors.ts";

export type KlForm = "unbiased" | "squared" | "plain";

/** Beyond this d, `unbiased` goes on as a straight line: exp(d) of a policy that has lost a token ends all training. */
const steepest = 20;

const forms: Record<KlForm, (d: number) => readonly [value: number, slope: number]> = {
  unbiased(d) {
    const near = Math.min(d, steepest);
    return [Math.expm1(near) - near + Math.expm1(near) * (d - near), -Math.expm1(near)];
  },
  squared: (d) => [(d * d) / 2, -d],
  plain: (d) => [-d, 1],
};

/**
 * The form's value in nats and its slope in `logProb`. `unbiased` is exact up to d = 20 and straight above it.
 *
 * @throws UserError for an unknown form
 */
export function klEstimate(form: KlForm, logProb: number, referenceLogProb: number): { value: number; slope: number } {
  if (!Object.hasOwn(forms, form))
    throw new UserError("invalid-option", `kl is ${JSON.stringify(form)}.`, {
      fix: `It must be ${Object.keys(forms).join(", ")}.`,
    });
  const [value, slope] = forms[form](referenceLogProb - logProb);
  return { value, slope };
}
