import type { RuleContext, Signal, TokenRule, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { checkedWeights } from "./checked-weights.ts";

/**
 * The weights of an optimizer step's micro-batches, each `[rows * width]` of its own batch, and the rule's metrics over
 * all of them. The rule is asked once, and sees them as one batch, so that ranking, random draws and metrics do not
 * depend on how the rows were split. What the data's author lets a token count multiplies what the rule gives it; tokens
 * of prompts that train are not for the rule to rank, and have the weight that the data give them.
 *
 * @throws UserError for unusable weights
 * @example
 * import { createFrom, rules } from "tokensift/selection";
 * import { weighTogether } from "tokensift/training";
 *
 * // the rule ranks over both micro-batches: of five response tokens it keeps the two with the highest loss
 * const first = { rows: 1, width: 3, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 1) };
 * const second = { rows: 1, width: 4, rowIds: Float64Array.of(1), endOfTurn: Uint8Array.of(0, 0, 0, 1) };
 * const batches = [
 *   { ...first, response: Uint8Array.of(0, 1, 1), signals: { nll: Float32Array.of(0, 0.5, 0.1) } },
 *   { ...second, response: Uint8Array.of(0, 1, 1, 1), signals: { nll: Float32Array.of(0, 2, 3, 0.2) } },
 * ];
 * const context = { step: 0, samplesSeen: 0, uniform: Math.random };
 * const rule = createFrom(rules, { method: "loss-top", ratio: 0.4, scope: "step" });
 * weighTogether(rule, batches, context).weights; //=> [[0, 0, 0], [0, 1, 1, 0]]
 */
export function weighTogether<S extends Signal>(
  rule: TokenRule<S>,
  batches: readonly Tokens<S>[],
  context: RuleContext,
): { weights: Float32Array[]; metrics: Record<string, number> } {
  const step = counted(joinTokens(batches, rule.needs));
  const given = checkedWeights(rule, step, context);
  const metrics = rule.metrics?.(step, given, context) ?? {};
  const weights = weighedByData(given, step);
  let row = 0;
  const parts = batches.map(({ rows, width }) => {
    const part = new Float32Array(rows * width);
    for (let b = 0; b < rows; b++, row++) {
      part.set(weights.subarray(row * step.width, row * step.width + width), b * width);
    }
    return part;
  });
  return { weights: parts, metrics };
}

/** Tokens to which the data give no weight are not of the response: no rule ranks or counts them. */
function counted<T extends Tokens>(tokens: T): T {
  const { response, dataWeights } = tokens;
  if (!dataWeights?.some((weight, i) => weight === 0 && response[i] === 1)) return tokens;
  return { ...tokens, response: response.map((mark, i) => (dataWeights[i] === 0 ? 0 : mark)) };
}

function weighedByData(weights: Float32Array, { response, dataWeights, width }: Tokens): Float32Array {
  if (dataWeights === undefined) return weights;
  return weights.map((weight, i) => {
    if (response[i] === 0) return i % width === 0 ? 0 : dataWeights[i]!;
    return weight === 0 ? 0 : weight * dataWeights[i]!;
  });
}

/** Throws a UserError for a rule that ranks over the whole dataset, which no training step sees. */
export function requireStepwise({ name, scope }: Pick<TokenRule, "name" | "scope">): void {
  if (scope !== "dataset") return;
  throw new UserError(
    "rule-not-stepwise",
    "A rule that ranks over the whole dataset cannot run inside a training step.",
    {
      where: name,
      fix: "Write its weights with `tokensift score`, then train on that column with dataset-weights.",
    },
  );
}

/** Batches below each other as one, padded on the right to the widest; of the signals, `needs` alone. */
export function joinTokens<S extends Signal>(batches: readonly Tokens<S>[], needs: readonly S[]): Tokens<S> {
  if (batches.length === 1) return batches[0]!;
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  const width = Math.max(0, ...batches.map((batch) => batch.width));
  const place = <A extends Uint8Array | Float32Array>(into: A, arrays: A[]): A => {
    let row = 0;
    arrays.forEach((array, m) => {
      const { rows: count, width: from } = batches[m]!;
      for (let b = 0; b < count; b++, row++) into.set(array.subarray(b * from, (b + 1) * from), row * width);
    });
    return into;
  };
  const signal = (name: S): [S, Float32Array] => [
    name,
    place(
      new Float32Array(rows * width),
      batches.map((batch) => batch.signals[name]),
    ),
  ];
  const isWeighed = batches.some((batch) => batch.dataWeights !== undefined);
  return {
    rows,
    width,
    ...(isWeighed && { dataWeights: place(new Float32Array(rows * width), batches.map(weightsOfData)) }),
    rowIds: Float64Array.from(batches.flatMap((batch) => [...batch.rowIds])),
    response: place(
      new Uint8Array(rows * width),
      batches.map((batch) => batch.response),
    ),
    endOfTurn: place(
      new Uint8Array(rows * width),
      batches.map((batch) => batch.endOfTurn),
    ),
    signals: Object.fromEntries(needs.map(signal)) as { [K in S]: Float32Array },
  };
}

function weightsOfData({ dataWeights, response }: Pick<Tokens, "dataWeights" | "response">): Float32Array {
  return dataWeights ?? Float32Array.from(response);
}
