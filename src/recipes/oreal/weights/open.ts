import { shuffledWeights } from "../../../reward/shuffled-weights.ts";
import type { WeighedBatch } from "../iteration.ts";
import type { OrealWeights, OwnWeights } from "../objective-schema.ts";
import type { Rollouts } from "../rollouts.ts";
import { shiftSource } from "./adapter-shift.ts";
import { columnSource } from "./column.ts";
import { criticalSource } from "./critical.ts";
import { entropySource, openRule, ruleSource } from "./rule.ts";
import type { SourceModels, WeightsOf } from "./source.ts";

/** Gives the kept responses of an iteration their token weights, all at once. */
export type Weigh = (rollouts: Rollouts, batches: readonly WeighedBatch[]) => Promise<readonly WeighedBatch[]>;

/** What token weights are made with. */
export interface WeighOptions {
  readonly seed: number;
  /** Whether the reference's log-probabilities are those of the model before training. */
  readonly toInitial: boolean;
  readonly models: SourceModels;
}

/**
 * Token weights that no reward model learns. Batches stay as they are where there are none such.
 * @throws UserError for a rule that cannot be made, or that reads what is not there
 */
export async function openWeights(weights: OrealWeights, { seed, toInitial, models }: WeighOptions): Promise<Weigh> {
  if (weights.source === "none" || "of" in weights) return (_, batches) => Promise.resolve(batches);
  const { equal } = weights;
  const weightsOf = await sourceOf(weights, { seed, toInitial, models });
  return async (rollouts, batches) => {
    if (batches.length === 0) return batches;
    const own = await weightsOf(rollouts, batches);
    return batches.map((each, b) => {
      const { batch, aux, logProb } = each;
      const pushUnder = equal === "push" ? logProb : undefined;
      const shuffled = equal && shuffledWeights(own[b]!, batch, { seed, iteration: rollouts.iteration, pushUnder });
      return { ...each, aux: { ...aux, weights: shuffled ?? own[b]! } };
    });
  };
}

async function sourceOf(weights: OwnWeights, { seed, toInitial, models }: WeighOptions): Promise<WeightsOf> {
  switch (weights.source) {
    case "entropy":
      return entropySource(weights, seed);
    case "rule":
      return ruleSource(await openRule(weights.rule, toInitial), seed);
    case "adapter-shift":
      return shiftSource(models);
    case "critical":
      return criticalSource(models, weights);
    case "column":
      return columnSource(weights.column);
  }
}

/** Makes what can be made without a model. */
export async function checkWeights(weights: OrealWeights, toInitial: boolean): Promise<void> {
  if (weights.source === "rule") await openRule(weights.rule, toInitial);
}
