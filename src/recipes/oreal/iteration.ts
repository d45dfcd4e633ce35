import { concentration } from "../../reward/concentration.ts";
import type { Choice } from "../../reward/choose-responses.ts";
import { mean } from "../../evaluation/mean.ts";
import type { PolicyAux } from "../../reward/policy-objective.ts";
import { sumByName } from "../../training/objective-loss.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import { endOf } from "./batches.ts";
import { klToReference } from "../kit/distance.ts";
import { servedMetrics } from "./mismatch.ts";
import type { RewardedRollouts } from "./rewards.ts";
import type { Fate } from "./trajectories.ts";

/** Kept responses with all that the objective reads, as it was before the iteration's updates. */
export interface WeighedBatch extends StepBatch<PolicyAux> {
  /** `[rows * width]`, under the policy that drew the responses, from the whole distribution. */
  readonly logProb: Float32Array;
  /** `[rows * width]`, nats, of the policy. */
  readonly entropy: Float32Array;
}

/** What was done in an iteration. */
export interface Iteration {
  readonly rollouts: RewardedRollouts;
  /** One entry per response, as are advantages and rewards. */
  readonly right: Uint8Array;
  readonly advantages: Float64Array;
  readonly choice: Choice;
  readonly batches: readonly WeighedBatch[];
  /** Optimizer steps of the reward model; none without one, or where nothing was kept. */
  readonly taught: readonly StepOutcome[];
  /** Optimizer steps of the policy; none while it is frozen, or where nothing was kept. */
  readonly moved: readonly StepOutcome[];
}

/**
 * Numbers that a rerun reproduces. Of several optimizer steps: the first one's numbers, and the KL and the clipped share of the last.
 * @param learns whether there is a reward model
 * @param toInitial whether the reference is the model before training
 * @param clips whether ratios to the policy that drew are clipped
 * @param weighs whether tokens have weights of their own
 * @param drawsOn whether further questions are asked where too few are learnt from
 */
export function metricsOf(
  iteration: Iteration,
  options: Record<"learns" | "toInitial" | "clips" | "weighs" | "drawsOn", boolean>,
) {
  const { learns, toInitial, clips, weighs, drawsOn } = options;
  const { taught, moved } = iteration;
  const [first] = moved;
  const [lesson] = taught;
  const last = sumByName(moved.at(-1)?.metrics ?? []);
  const tokens = (last["positiveTokens"] ?? 0) + (last["negativeTokens"] ?? 0);
  const seen = sumByName(lesson?.metrics ?? []);
  const per = (sum = 0, count = 0): number => (count > 0 ? sum / count : 0);
  return {
    loss: first?.loss ?? 0,
    ...responseMetrics(iteration),
    ...(drawsOn && { questionsSurplus: iteration.choice.questions.surplus }),
    ...servedMetrics(iteration.rollouts, iteration.batches),
    ...meansOf(iteration.batches),
    ...(weighs && concentrationOf(iteration.batches)),
    lossPositive: first?.parts["positive"] ?? 0,
    lossNegative: first?.parts["negative"] ?? 0,
    lossKl: first?.parts["kl"] ?? 0,
    ...(toInitial && { klToInitial: klToReference(iteration.batches) }),
    kl: per(last["klSum"], tokens),
    ...(clips && { clipped: per(last["clippedTokens"], tokens) }),
    gradNorm: first?.gradNorm ?? 0,
    learningRate: first?.learningRate ?? 0,
    ...(learns && {
      rewardLoss: lesson?.loss ?? 0,
      rewardAccuracy: per(seen["agreed"], seen["responses"]),
      rewardProbability: per(seen["probability"], seen["responses"]),
      rewardGradNorm: lesson?.gradNorm ?? 0,
      rewardLearningRate: lesson?.learningRate ?? 0,
    }),
  };
}

/** Numbers of the responses alone. */
function responseMetrics({ rollouts: { responses, outcomes, parts }, choice, right, batches }: Iteration) {
  const share = (count: number): number => count / responses.length;
  const judged = (wanted: string) => share(responses.filter(({ verdict }) => verdict === wanted).length);
  const lengths = responses.map(({ ids }) => ids.length);
  return {
    responses: responses.length,
    passRate: share(right.reduce((a, b) => a + b, 0)),
    ...{ correct: judged("correct"), wrong: judged("wrong") },
    ...{ unparsable: judged("unparsable"), timeout: judged("timeout") },
    ...(parts && {
      reward: mean(Array.from(outcomes.rewards)),
      ...Object.fromEntries(parts.map(({ name, values }) => [`reward:${name}`, mean([...values])])),
    }),
    ...(outcomes.greedyRewards && { greedyReward: mean(Array.from(outcomes.greedyRewards)) }),
    unfinished: share(responses.filter(({ finished }) => !finished).length),
    responseTokens: lengths.reduce((a, b) => a + b, 0),
    questionsKept: choice.questions.kept,
    questionsAllWrong: choice.questions.allWrong,
    questionsAllRight: choice.questions.allRight,
    keptResponses: choice.kept.reduce((a, b) => a + b, 0),
    keptRight: choice.kept.reduce((sum, kept, k) => sum + kept * right[k]!, 0),
    keptTokens: batches.reduce((sum, { batch }) => sum + batch.response.reduce((a, b) => a + b, 0), 0),
  };
}

/**
 * Means over kept tokens, 0 where there are none; without token weights every weight is 1. Both right and wrong
 * responses must have some weight for both to be learnt from.
 */
function meansOf(batches: readonly WeighedBatch[]) {
  const [right, wrong] = [emptySum(), emptySum()];
  for (const { batch, aux, entropy } of batches)
    batch.response.forEach((mark, i) => {
      if (!mark) return;
      const sum = aux.right[Math.floor(i / batch.width)] ? right : wrong;
      const weight = aux.weights?.[i] ?? 1;
      sum.tokens++;
      sum.entropy += entropy[i]!;
      sum.weight += weight;
      if (weight > 0) sum.aboveZero++;
    });
  const mean = (key: keyof TokenSum, ...of: TokenSum[]): number => {
    const tokens = of.reduce((sum, { tokens }) => sum + tokens, 0);
    return tokens > 0 ? of.reduce((sum, part) => sum + part[key], 0) / tokens : 0;
  };
  return {
    entropy: mean("entropy", right, wrong),
    weightMean: mean("weight", right, wrong),
    weightMeanRight: mean("weight", right),
    weightMeanWrong: mean("weight", wrong),
    weightsAboveZero: mean("aboveZero", right, wrong),
  };
}

/** How few of the kept tokens the weights lie on. */
function concentrationOf(batches: readonly WeighedBatch[]) {
  const weights = batches.flatMap(({ batch, aux }) => [...(aux.weights ?? [])].filter((_, i) => batch.response[i]));
  const { gini, effective } = concentration(weights);
  return { weightGini: gini, weightEffective: effective };
}

interface TokenSum {
  tokens: number;
  entropy: number;
  weight: number;
  aboveZero: number;
}

const emptySum = (): TokenSum => ({ tokens: 0, entropy: 0, weight: 0, aboveZero: 0 });

/** What became of every response, for the run folder. */
export function fatesOf({ rollouts, advantages, choice, batches }: Iteration): Fate[] {
  const { outcomes, parts } = rollouts;
  const fates: Fate[] = rollouts.responses.map((_, k) => ({
    ...{ reward: outcomes.rewards[k]!, ...(parts && { rewards: parts.map(({ values }) => values[k]!) }) },
    ...{ advantage: advantages[k]!, kept: choice.kept[k] === 1 },
    ...{ weights: null, logProb: null },
  }));
  for (const { batch, aux, logProb } of batches)
    batch.rowIds.forEach((k, row) => {
      const end = endOf(batch, row);
      const start = end - rollouts.responses[k]!.ids.length;
      const weights = aux.weights?.slice(start, end) ?? null;
      fates[k] = { ...fates[k]!, weights, logProb: logProb.slice(start, end) };
    });
  return fates;
}
