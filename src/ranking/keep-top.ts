import type { Divisor, RuleContext, Signal, TokenRule, TokenScore, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type Budget, resolveBudget } from "./budget.ts";
import { topMask } from "./top-mask.ts";

/** A rule that trains the highest-scored tokens, or the lowest-scored ones; its score stays readable, to colour tokens by or to evict by. */
export interface ChoosingRule<S extends Signal = Signal> extends TokenRule<S> {
  readonly score: TokenScore<S>;
  readonly budget: Required<Budget>;
  readonly ratio: number;
}

/**
 * Makes a rule of a score and a budget: weight 1 on the tokens that `topMask` keeps, 0 elsewhere.
 *
 * @param options `divideBy`: default `kept`, the number of tokens kept in the step
 * @throws UserError for an impossible budget; when weighing, for a score that is not finite or has the wrong length
 * @example
 * import { hashUniform, type TokenScore } from "tokensift";
 * import { keepTop } from "tokensift/selection";
 *
 * const unsure: TokenScore<"entropy"> = {
 *   name: "unsure",
 *   needs: ["entropy"],
 *   score: (tokens) => tokens.signals.entropy,
 * };
 * const rule = keepTop(unsure, { ratio: 0.5 });
 *
 * const layout = { rows: 1, width: 5, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 1, 1) };
 * const signals = { entropy: Float32Array.of(0, 0.1, 1.2, 0.3, 0.9) }; // nats
 * const context = { step: 0, samplesSeen: 0, uniform: (row: number, token: number) => hashUniform(42, row, token) };
 * rule.weigh({ ...tokens, signals }, context); //=> [0, 0, 1, 0, 1]
 */
export function keepTop<S extends Signal>(
  score: TokenScore<S>,
  budget: Budget,
  { divideBy = "kept" }: { divideBy?: Divisor } = {},
): ChoosingRule<S> {
  const resolved = inNameOf(score.name, () => resolveBudget(budget));
  return {
    name: score.name,
    needs: score.needs,
    scope: resolved.scope,
    divideBy,
    ratio: resolved.ratio,
    score,
    budget: resolved,
    weigh(tokens: Tokens<S>, context: RuleContext): Float32Array {
      return inNameOf(score.name, () => Float32Array.from(topMask(score.score(tokens, context), tokens, resolved)));
    },
  };
}

/** Runs `work`; a UserError thrown in it also names the score. */
function inNameOf<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) throw new UserError(error.code, error.message, { where: name, cause: error });
    throw error;
  }
}
