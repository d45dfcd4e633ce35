import type { Forward, RuleContext, Signal, TokenBatch, TokenRule, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import type { Learner, PassOptions } from "./learner.ts";
import { batchShare, meanOfAll, stepTotals, type StepTotals } from "./reduce.ts";
import { objectiveOf, type RuleAux } from "./rule-objective.ts";
import { readColumns, readsModel, readSignals, type SignalPlan } from "./signals.ts";
import { optimizerStep, type StepBatch, type StepOutcome } from "./step.ts";
import { requireStepwise, weighTogether } from "./weigh.ts";

/** A micro-batch as a rule sees it. */
export interface ScoredBatch {
  readonly batch: TokenBatch;
  readonly tokens: Tokens<Signal>;
  /** Still open for its second phase where it is the step's only micro-batch. */
  readonly pass?: Forward;
}

/**
 * The first phase of a rule's step: the signals that the rule reads, of every micro-batch. The pass of a single
 * micro-batch stays open for its gradient. Of several, each is closed again and run a second time for its gradient, with
 * the same dropout, so that no more than one is in memory at a time; where the rule reads nothing of the model, none is
 * run.
 *
 * @throws UserError for a loss that is not finite, naming row and token
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { createFrom, rules } from "tokensift/selection";
 * import { adamW, createLearner, planSignals, scoreBatches } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-4 });
 * learner.startStep(0);
 * const [scored] = await scoreBatches(learner, [batch], planSignals(createFrom(rules, { method: "loss-top" }), []));
 * scored!.tokens.signals.nll; //=> [0, 0, 1.444, 6.006]
 * scored!.pass!.backward({ logProb: Float32Array.of(0, 0, 0, -1) }); // the pass is still open
 * scored!.pass![Symbol.dispose]();
 * releaseEngine();
 */
export async function scoreBatches(
  learner: Pick<Learner, "forward" | "rewind">,
  batches: readonly TokenBatch[],
  plan: SignalPlan,
): Promise<ScoredBatch[]> {
  if (batches.length === 1) return [await scoredOpen(learner, batches[0]!, plan, anchorOf(plan))];
  if (!readsModel(plan)) return batches.map((batch) => ({ batch, tokens: readColumns(batch, plan) }));
  const scored: ScoredBatch[] = [];
  for (const batch of batches) {
    const { pass, ...seen } = await scoredOpen(learner, batch, plan);
    pass[Symbol.dispose]();
    scored.push(seen);
  }
  learner.rewind();
  return scored;
}

async function scoredOpen(
  learner: Pick<Learner, "forward">,
  batch: TokenBatch,
  plan: SignalPlan,
  further: PassOptions = {},
): Promise<Required<ScoredBatch>> {
  const pass = learner.forward(batch, { ...plan.pass, ...further });
  try {
    const { tokens } = await readSignals(pass, batch, plan);
    return { batch, tokens, pass };
  } catch (error) {
    pass[Symbol.dispose]();
    throw error;
  }
}

/** What a pass that goes back computes for the rule's anchor. */
function anchorOf({ reference }: SignalPlan): PassOptions {
  return reference === undefined ? {} : { forwardKl: { reference } };
}

/** What a rule made of an optimizer step's micro-batches. */
export interface WeighedStep {
  /** For `optimizerStep` under `objectiveOf` the rule. */
  readonly batches: readonly StepBatch<RuleAux>[];
  readonly totals: StepTotals;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Scores the micro-batches, then asks the rule once for all their weights.
 *
 * @throws UserError for a loss that is not finite, unusable weights, or a rule that ranks over the whole dataset
 */
export async function weighBatches(
  learner: Pick<Learner, "forward" | "rewind">,
  batches: readonly TokenBatch[],
  { rule, plan, context }: { rule: TokenRule; plan: SignalPlan; context: RuleContext },
): Promise<WeighedStep> {
  requireStepwise(rule);
  if (rule.anchor !== undefined && plan.reference === undefined)
    throw new UserError("missing-signal", "The rule has an anchor, and nothing says what it is held near.", {
      where: rule.name,
      fix: "Give `planSignals` the reference model: the model before training.",
    });
  const scored = await scoreBatches(learner, batches, plan);
  try {
    const seen = scored.map(({ tokens }) => tokens);
    const { weights, metrics } = weighTogether(rule, seen, context);
    const weighed = scored.map(({ batch, pass }, m) => {
      const own = weights[m]!;
      const aux = { weights: own, ...batchShare({ ...batch, weights: own }, rule) };
      return { batch, aux, pass: () => pass ?? learner.forward(batch, anchorOf(plan)) };
    });
    return {
      batches: weighed,
      totals: stepTotals(weighed.map(({ aux }) => aux)),
      metrics,
    };
  } catch (error) {
    for (const { pass } of scored) pass?.[Symbol.dispose]();
    throw error;
  }
}

/** What one optimizer step under a rule came to. */
export interface RuleStepOutcome extends StepOutcome, StepTotals {
  /** Mean over all response tokens, whatever their weight; 0 without any. */
  readonly lossAllTokens: number;
  /** Per micro-batch `[rows * width]`. */
  readonly weights: readonly Float32Array[];
  readonly ruleMetrics: Readonly<Record<string, number>>;
}

/**
 * One optimizer step under a rule: score, weigh, then `optimizerStep`. A step in which no token has a weight updates
 * nothing.
 *
 * @throws UserError for unusable weights, or a loss or gradient that is not finite
 * @example
 * import { hashUniform, releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { createFrom, rules } from "tokensift/selection";
 * import { adamW, createLearner, planSignals, ruleStep } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-4 });
 * const rule = createFrom(rules, { method: "loss-top", ratio: 0.5 });
 * const context = { step: 0, samplesSeen: 0, uniform: (row: number, token: number) => hashUniform(42, row, token) };
 * const outcome = await ruleStep(learner, 0, [batch], { rule, plan: planSignals(rule, []), context });
 * outcome.loss; //=> 6.006
 * outcome.lossAllTokens; //=> 3.725
 * releaseEngine();
 */
export async function ruleStep(
  learner: Learner,
  step: number,
  batches: readonly TokenBatch[],
  asked: { rule: TokenRule; plan: SignalPlan; context: RuleContext },
): Promise<RuleStepOutcome> {
  learner.startStep(step);
  const weighed = await weighBatches(learner, batches, asked);
  const outcome = await optimizerStep(learner, step, weighed.batches, objectiveOf(asked.rule));
  const { anchor } = outcome.parts;
  return {
    ...outcome,
    ...weighed.totals,
    lossAllTokens: lossOfAll(outcome, weighed.totals),
    weights: weighed.batches.map(({ aux }) => aux.weights),
    ruleMetrics: { ...weighed.metrics, ...(anchor !== undefined && { lossAnchor: anchor }) },
  };
}

/** Mean over all response tokens of a step under `ruleObjective`. */
export function lossOfAll({ metrics }: Pick<StepOutcome, "metrics">, totals: StepTotals): number {
  return meanOfAll(
    metrics.map(({ lossSum = 0 }) => lossSum),
    totals,
  );
}
