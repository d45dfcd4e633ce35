import type { RuleContext, Signal, TokenRule, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/**
 * The rule's weights `[rows * width]`, made safe to train on: 0 wherever `response` is 0, whatever the rule says there.
 *
 * @throws UserError for a signal that the tokens lack, a result of the wrong kind or length, or a weight that is not finite (naming row and token)
 */
export function checkedWeights<S extends Signal>(
  rule: TokenRule<S>,
  tokens: Tokens<S>,
  context: RuleContext,
): Float32Array {
  for (const signal of rule.needs) {
    if (!Object.hasOwn(tokens.signals, signal)) {
      throw new UserError("missing-signal", `The rule needs ${signal}, which these tokens lack.`, {
        where: rule.name,
        fix: `tokens.signals["${signal}"] must be a Float32Array of ${tokens.rows * tokens.width}.`,
      });
    }
  }
  const weights: unknown = rule.weigh(tokens, context);
  const size = tokens.rows * tokens.width;
  if (!(weights instanceof Float32Array) || weights.length !== size) {
    const got = weights instanceof Float32Array ? `${weights.length} weights` : describe(weights);
    throw new UserError("wrong-shape", `The rule gave ${got} instead of a Float32Array of ${size}.`, {
      where: rule.name,
      fix: `weigh() must return one weight per token of the batch (${tokens.rows} rows of ${tokens.width}).`,
    });
  }
  return weights.map((weight, i) => {
    if (!tokens.response[i]) return 0;
    if (Number.isFinite(weight)) return weight;
    throw new UserError("invalid-weight", `The weight is ${weight}.`, {
      where: `${rule.name}: row ${tokens.rowIds[Math.floor(i / tokens.width)]}, token ${i % tokens.width}`,
      fix: "Check the losses that the weight is computed from: a learning rate that is too high is the usual cause.",
    });
  });
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value);
  return `a value of type ${value.constructor?.name ?? "object"}`;
}
