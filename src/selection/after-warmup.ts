import type { Signal, TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/**
 * Trains every response token in the first optimizer steps and follows the rule from then on: for rules whose second
 * model has to be trained first, as in self-evolving Token Cleaning (https://arxiv.org/abs/2502.01968).
 *
 * @param steps optimizer steps of the warm-up, 0 or more
 * @throws UserError for steps that are not a whole number
 */
export function afterWarmup<S extends Signal>(rule: TokenRule<S>, steps: number): TokenRule<S> {
  if (!Number.isInteger(steps) || steps < 0)
    throw new UserError("invalid-option", `The warm-up must be a whole number of steps, 0 or more, not ${steps}.`, {
      where: rule.name,
    });
  return {
    ...rule,
    weigh: (tokens, context) =>
      context.step < steps ? Float32Array.from(tokens.response) : rule.weigh(tokens, context),
  };
}
