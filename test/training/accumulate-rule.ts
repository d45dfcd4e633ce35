import type { RuleContext, TokenBatch, TokenRule } from "../../src/contract/index.ts";
import { forward, type Decoder, type GradientStore } from "../../src/model/index.ts";
import { type Learner, type SignalPlan } from "../../src/training/index.ts";
import { objectiveOf } from "../../src/training/rule-objective.ts";
import { accumulate } from "../../src/training/step.ts";
import { lossOfAll, weighBatches } from "../../src/training/rule-step.ts";

/** Both phases of an optimizer step under a rule, without its update: the store receives the gradient of the loss. */
export async function accumulateRule(options: {
  model: Decoder;
  rule: TokenRule;
  plan: SignalPlan;
  batches: readonly TokenBatch[];
  context: RuleContext;
  gradients: GradientStore;
}) {
  const { model, batches, gradients } = options;
  const learner: Pick<Learner, "forward" | "rewind"> = {
    forward: (batch, pass) => forward(model, batch, { ...pass, gradients }),
    rewind: () => undefined,
  };
  const weighed = await weighBatches(learner, batches, options);
  const outcome = await accumulate(learner, weighed.batches, objectiveOf(options.rule));
  return {
    ...outcome,
    ...weighed.totals,
    lossAllTokens: lossOfAll(outcome, weighed.totals),
    weights: weighed.batches.map(({ aux }) => aux.weights),
    ruleMetrics: weighed.metrics,
  };
}

export type AccumulatedRule = Awaited<ReturnType<typeof accumulateRule>>;
