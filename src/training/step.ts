import type { RuleContext, TokenBatch, TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { forward, type Decoder, type GradientStore } from "../model/index.ts";
import { batchShare, stepTotals, type StepTotals } from "./reduce.ts";
import { readSignals, type ScoredBatch, type SignalPlan } from "./signals.ts";
import { weighStep } from "./weigh.ts";

/** What one optimizer step found, before the update. */
export interface StepOutcome extends StepTotals {
  /** Nats, under the rule's weights and divisor; 0 when `empty`. */
  readonly loss: number;
  /** Mean over all response tokens, whatever their weight. */
  readonly lossAllTokens: number;
  /** Per micro-batch `[rows * width]`. */
  readonly weights: readonly Float32Array[];
  readonly metrics: Readonly<Record<string, number>>;
}

export interface StepOptions {
  model: Decoder;
  rule: TokenRule;
  /** Where every signal of the rule comes from, see `planSignals`. */
  plan: SignalPlan;
  /** The micro-batches of the optimizer step. */
  batches: readonly TokenBatch[];
  context: RuleContext;
  /** Receives the gradient of `loss * mass`: divide by `mass` when updating. */
  gradients: GradientStore;
  /** See `ForwardOptions`. Default false. */
  gradientCheckpointing?: boolean;
}

/**
 * Forward, read, weigh, backward over the micro-batches of one optimizer step; nothing is updated. A rule that ranks
 * over the step scores all its micro-batches first and runs each a second time to train; every other rule needs one
 * pass. The result does not depend on the division into micro-batches (but for the divisor `microBatch`).
 *
 * @throws UserError for a loss that is not finite, unusable weights, or a rule whose weights depend on other rows
 * although its scope says otherwise
 */
export async function accumulateStep(options: StepOptions): Promise<StepOutcome> {
  const { rule, batches, context } = options;
  const twoPasses = rule.scope !== "response" && batches.length > 1;
  const scored = twoPasses ? await scoreAll(options) : [];
  const decided = twoPasses ? weighStep(rule, tokensOf(scored), context) : undefined;
  const parts = [];
  const weights: Float32Array[] = [];
  let [sum, sumAll] = [0, 0];
  for (const [m, batch] of batches.entries()) {
    const part = await trainBatch(options, batch, decided?.weights[m]);
    parts.push(part);
    weights.push(part.weights);
    if (!twoPasses) scored.push(part.scored);
    sum += part.sum;
    sumAll += part.sumAll;
  }
  const whole = decided ?? (batches.length === 1 ? parts[0]! : weighedAgain(options, scored, weights));
  const totals = stepTotals(parts, rule);
  return {
    ...totals,
    loss: totals.empty ? 0 : sum / totals.mass,
    lossAllTokens: totals.eligible > 0 ? sumAll / totals.eligible : 0,
    weights,
    metrics: whole.metrics,
  };
}

const tokensOf = (scored: readonly ScoredBatch[]) => scored.map(({ tokens }) => tokens);

async function scoreAll({ model, plan, batches }: StepOptions): Promise<ScoredBatch[]> {
  const scored: ScoredBatch[] = [];
  for (const batch of batches) {
    using pass = forward(model, batch, { gradients: null, ...plan.pass });
    scored.push(await readSignals(pass, batch, plan));
  }
  return scored;
}

/** Both phases of one micro-batch; its weights are decided here unless they are given. */
async function trainBatch(options: StepOptions, batch: TokenBatch, given: Float32Array | undefined) {
  const { model, rule, plan, context, gradients } = options;
  const asked: SignalPlan = given === undefined ? plan : { needs: [], pass: {}, sources: [] };
  const { gradientCheckpointing = false } = options;
  using pass = forward(model, batch, { gradients, gradientCheckpointing, ...asked.pass });
  const scored = await readSignals(pass, batch, asked);
  const decided = given === undefined ? weighStep(rule, [scored.tokens], context) : { weights: [given], metrics: {} };
  const weights = decided.weights[0]!;
  const { share, ...part } = batchShare({ ...batch, weights }, rule);
  pass.backward({ logProb: share.map((value) => (value === 0 ? 0 : -value)) });
  let [sum, sumAll] = [0, 0];
  scored.nll.forEach((nll, i) => {
    if (!batch.response[i]) return;
    sum += share[i]! * nll;
    sumAll += nll;
  });
  return { ...part, weights, metrics: decided.metrics, scored, sum, sumAll };
}

/** Micro-batches that were weighed one by one, weighed again as one: for the metrics, and because nothing may change. */
function weighedAgain({ rule, context }: StepOptions, scored: readonly ScoredBatch[], apart: readonly Float32Array[]) {
  const together = weighStep(rule, tokensOf(scored), context);
  const same = apart.every((weights, m) => weights.every((weight, i) => weight === together.weights[m]![i]));
  if (same) return together;
  throw new UserError(`The rule's scope is "${rule.scope}", but its weights change with the other rows of a batch.`, {
    where: rule.name,
    fix: 'Give it the scope "step", which ranks over the whole optimizer step.',
  });
}
