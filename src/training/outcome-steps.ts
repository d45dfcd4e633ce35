import type { TokenBatch } from "../contract/index.ts";
import { forward, gradientStore, isAdapted, type Decoder } from "../model/index.ts";
import { policyMasses, policyObjective, rewardModelLoss } from "../reward/index.ts";
import type { PolicyAux, PolicyOptions, ScoreAt } from "../reward/index.ts";
import type { TokenRewardModel } from "../reward/model/index.ts";
import { accumulateObjective, type ObjectiveBatch } from "./objective-step.ts";
import type { Optimizer } from "./optimizer.ts";
import { clippedUpdate, type UpdateOptions } from "./update.ts";

/** Kept responses with what they are worth. */
export interface OutcomeBatch extends TokenBatch, PolicyAux {}

export interface OutcomeStepOptions extends UpdateOptions {
  /** Number of the step among those of this model, from 0: names an adapter's dropout. */
  dropoutStep: number;
}

/** One update of a policy, in numbers. */
export interface PolicyStep {
  /** Nats; the sum of `parts`. */
  readonly loss: number;
  /** `positive`, `negative` and, unless beta is 0, `kl`; coefficients included. */
  readonly parts: Readonly<Record<string, number>>;
  /** Mean of the KL estimate over kept tokens, nats; 0 if beta is 0. */
  readonly kl: number;
  readonly gradNorm: number;
}

/**
 * One optimizer step of the policy on kept responses (see `policyObjective`). A step without any gradient leaves the
 * policy, and the optimizer, as they are.
 *
 * @throws UserError for numbers that are not finite, or an impossible option
 */
export async function policyStep(
  policy: Decoder,
  optimizer: Optimizer,
  batches: readonly OutcomeBatch[],
  { objective: options, dropoutStep, ...update }: OutcomeStepOptions & { objective?: PolicyOptions },
): Promise<PolicyStep> {
  if (isAdapted(policy)) policy.adapter.startStep(dropoutStep);
  const objective = policyObjective(options);
  const masses = sumOf(batches.map((batch) => policyMasses(batch, batch, options)));
  const gradients = gradientStore();
  let moves = false;
  try {
    const outcome = await accumulateObjective(
      batches.map((batch): ObjectiveBatch<"logProb"> => ({
        pass: () => forward(policy, batch, { gradients }),
        judge({ logProb }) {
          const judged = objective(logProb, { ...batch, signals: {} }, batch);
          moves ||= Object.values(judged.terms).some(({ dLogProb }) => dLogProb.some((value) => value !== 0));
          return judged;
        },
      })),
      ["logProb"],
      masses,
    );
    const gradNorm = moves ? await clippedUpdate(optimizer, gradients, update) : 0;
    const sums = sumOf(outcome.metrics);
    const tokens = (sums["positiveTokens"] ?? 0) + (sums["negativeTokens"] ?? 0);
    const kl = tokens > 0 ? sums["klSum"]! / tokens : 0;
    return { loss: outcome.loss, parts: outcome.parts, kl, gradNorm };
  } finally {
    gradients.clear();
  }
}

/** One update of a token reward model, in numbers. */
export interface RewardStep {
  /** Mean over responses of the cross entropy, nats. */
  readonly loss: number;
  /** Share of responses whose outcome is on the side of the probability. */
  readonly accuracy: number;
  /** Mean outcome probability. */
  readonly probability: number;
  readonly gradNorm: number;
}

/**
 * One optimizer step of a token reward model on kept responses (see `rewardModelLoss`).
 *
 * @param options.scoreAt as in the token weights
 * @throws UserError for numbers that are not finite
 */
export async function rewardStep(
  model: TokenRewardModel,
  optimizer: Optimizer,
  batches: readonly OutcomeBatch[],
  { scoreAt = "token", dropoutStep, ...update }: OutcomeStepOptions & { scoreAt?: ScoreAt },
): Promise<RewardStep> {
  model.startStep(dropoutStep);
  const gradients = gradientStore();
  try {
    const { loss, metrics } = await accumulateObjective(
      batches.map((batch): ObjectiveBatch<"score"> => ({
        pass: () => model.pass(batch, gradients),
        judge: ({ score }) => rewardModelLoss(score, batch, batch.right, { scoreAt }),
      })),
      ["score"],
      { outcome: batches.reduce((sum, batch) => sum + answered(batch), 0) },
    );
    const gradNorm = await clippedUpdate(optimizer, gradients, update);
    const { responses = 0, agreed = 0, probability = 0 } = sumOf(metrics);
    const share = (value: number): number => (responses > 0 ? value / responses : 0);
    return { loss, accuracy: share(agreed), probability: share(probability), gradNorm };
  } finally {
    gradients.clear();
  }
}

/** Log-probabilities of the response's tokens, and the entropies of the whole distributions they come from; no gradient. */
export async function responseLogProbs(
  model: Decoder,
  batch: TokenBatch,
): Promise<{ logProb: Float32Array; entropy: Float32Array }> {
  using pass = forward(model, batch, { gradients: null, entropy: true });
  return await pass.read(["logProb", "entropy"]);
}

/** Rows with at least one response token. */
function answered({ rows, width, response }: TokenBatch): number {
  return Array.from({ length: rows }, (_, b) => response.subarray(b * width, (b + 1) * width)).filter((row) =>
    row.includes(1),
  ).length;
}

function sumOf<K extends string>(parts: readonly Readonly<Record<K, number>>[]): Record<K, number> {
  const sums = {} as Record<K, number>;
  for (const part of parts) for (const name of Object.keys(part) as K[]) sums[name] = (sums[name] ?? 0) + part[name];
  return sums;
}
