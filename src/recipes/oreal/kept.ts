import { advantages, chooseResponses, outcomeRewards, rightResponses, shuffledWeights } from "../../reward/index.ts";
import { tokenWeights, type Choice, type OutcomeSettings } from "../../reward/index.ts";
import { responseLogProbs, type OutcomeBatch } from "../../training/index.ts";
import { responseBatch, splitResponses } from "../kit/responses/index.ts";
import type { OrealModels } from "./models.ts";
import type { Rollouts } from "./rollouts.ts";
import type { Fate } from "./trajectories.ts";

/** An iteration's responses with what they are worth, and those to learn from. */
export interface Kept {
  readonly rollouts: Rollouts;
  /** One entry per response. */
  readonly rewards: Float64Array;
  readonly right: Uint8Array;
  readonly advantages: Float64Array;
  readonly choice: Choice;
  /** Of kept responses; their `rowIds` are places in `rollouts.responses`. Empty where nothing is kept. */
  readonly batches: readonly OutcomeBatch[];
}

/** Rewards, advantages over whole groups, and then the filter. */
export function keepResponses(
  rollouts: Rollouts,
  { rewards: options, advantage, keep }: OutcomeSettings,
  { tolerance, seed, rowsAtOnce }: { tolerance: number; seed: number; rowsAtOnce: number },
): Kept {
  const { responses, iteration } = rollouts;
  const { rewards, counted } = outcomeRewards(
    responses.map(({ verdict }) => verdict),
    options,
  );
  const outcomes = { groups: responses.map(({ rowId }) => rowId), rewards, range: options.range, counted };
  const worth = advantages(outcomes, advantage);
  const right = rightResponses(outcomes);
  const choice = chooseResponses(outcomes, { keep, tolerance, seed, iteration });
  const kept = [...responses.keys()].filter((k) => choice.kept[k]);
  const batches = splitResponses(
    kept.map((k) => responses[k]!),
    rowsAtOnce,
  ).map((group): OutcomeBatch => {
    const places = group.map((i) => kept[i]!);
    const batch = responseBatch(
      places.map((k) => responses[k]!),
      places,
    );
    return { ...batch, right: places.map((k) => right[k]!), advantages: places.map((k) => worth[k]!) };
  });
  return { rollouts, rewards, right, advantages: worth, choice, batches };
}

/** Kept responses with all that the objective reads, as it is before the iteration's updates. */
export interface Weighed extends Kept {
  /** Of each batch, under the policy that drew the responses, from the whole distribution. */
  readonly logProb: readonly Float32Array[];
  /** Means over kept tokens, 0 where there are none; without token weights every weight is 1. */
  readonly means: {
    readonly entropy: number;
    readonly weightMean: number;
    /** The same over right and over wrong responses: both must have some weight for both to be learnt from. */
    readonly weightMeanRight: number;
    readonly weightMeanWrong: number;
    readonly weightsAboveZero: number;
  };
}

/** Computes log-probabilities of the sampling policy and of the reference, and token weights. */
export async function weighResponses(
  kept: Kept,
  { policy, reward, initial }: OrealModels,
  settings: OutcomeSettings,
  { shuffled, seed }: { shuffled: boolean; seed: number },
): Promise<Weighed> {
  const { iteration } = kept.rollouts;
  const { weights: options, reference, policy: objective } = settings;
  const batches: OutcomeBatch[] = [];
  const logProb: Float32Array[] = [];
  const sums = { right: emptySum(), wrong: emptySum() };
  for (const batch of kept.batches) {
    const now = await responseLogProbs(policy, batch);
    const old = storedLogProbs(kept.rollouts, batch) ?? now.logProb;
    logProb.push(old);
    let weighed: OutcomeBatch = batch;
    if (objective.klCoefficient !== 0) {
      const referenceLogProb = reference === "old" ? old : (await responseLogProbs(initial!, batch)).logProb;
      weighed = { ...weighed, referenceLogProb };
    }
    if (reward !== undefined && options !== "one") {
      using pass = reward.pass(batch, null);
      const { score } = await pass.read(["score"]);
      const learned = tokenWeights(score, batch, batch.right, options);
      weighed = { ...weighed, weights: shuffled ? shuffledWeights(learned, batch, { seed, iteration }) : learned };
    }
    batches.push(weighed);
    addUp(sums, weighed, now.entropy);
  }
  return { ...kept, batches, logProb, means: meansOf(sums) };
}

interface TokenSum {
  tokens: number;
  entropy: number;
  weight: number;
  aboveZero: number;
}

const emptySum = (): TokenSum => ({ tokens: 0, entropy: 0, weight: 0, aboveZero: 0 });

function addUp(sums: Record<"right" | "wrong", TokenSum>, batch: OutcomeBatch, entropy: Float32Array): void {
  batch.response.forEach((mark, i) => {
    if (!mark) return;
    const sum = sums[batch.right[Math.floor(i / batch.width)] ? "right" : "wrong"];
    const weight = batch.weights?.[i] ?? 1;
    sum.tokens++;
    sum.entropy += entropy[i]!;
    sum.weight += weight;
    if (weight > 0) sum.aboveZero++;
  });
}

function meansOf({ right, wrong }: Record<"right" | "wrong", TokenSum>): Weighed["means"] {
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

/** Log-probabilities that came with replayed responses; undefined where one of the batch has none. */
function storedLogProbs({ logProbs }: Rollouts, batch: OutcomeBatch): Float32Array | undefined {
  const stored = Array.from(batch.rowIds, (k) => logProbs?.[k]);
  if (stored.some((values) => values === undefined)) return undefined;
  const result = new Float32Array(batch.ids.length);
  stored.forEach((values, row) => result.set(values!, endOf(batch, row) - values!.length));
  return result;
}

/** Where a row ends in `[rows * width]`; its response ends there, too. */
function endOf({ width, lengths }: OutcomeBatch, row: number): number {
  return row * width + lengths[row]!;
}

/** What becomes of every response, for the run folder. */
export function fatesOf({ rollouts, rewards, advantages, choice, batches, logProb }: Weighed): Fate[] {
  const fates: Fate[] = rollouts.responses.map((_, k) => ({
    ...{ reward: rewards[k]!, advantage: advantages[k]!, kept: choice.kept[k] === 1 },
    ...{ weights: null, logProb: null },
  }));
  batches.forEach((batch, b) => {
    batch.rowIds.forEach((k, row) => {
      const end = endOf(batch, row);
      const start = end - rollouts.responses[k]!.ids.length;
      const weights = batch.weights?.slice(start, end) ?? null;
      fates[k] = { ...fates[k]!, weights, logProb: logProb[b]!.slice(start, end) };
    });
  });
  return fates;
}

/** Numbers of the responses alone. */
export function responseMetrics({ rollouts, choice, right, batches }: Kept) {
  const { responses } = rollouts;
  const share = (count: number): number => count / responses.length;
  const judged = (wanted: string) => share(responses.filter(({ verdict }) => verdict === wanted).length);
  const lengths = responses.map(({ ids }) => ids.length);
  return {
    responses: responses.length,
    passRate: share(right.reduce((a, b) => a + b, 0)),
    ...{ correct: judged("correct"), wrong: judged("wrong") },
    ...{ unparsable: judged("unparsable"), timeout: judged("timeout") },
    unfinished: share(responses.filter(({ finished }) => !finished).length),
    responseTokens: lengths.reduce((a, b) => a + b, 0),
    questionsKept: choice.questions.kept,
    questionsAllWrong: choice.questions.allWrong,
    questionsAllRight: choice.questions.allRight,
    keptResponses: choice.kept.reduce((a, b) => a + b, 0),
    keptRight: choice.kept.reduce((sum, kept, k) => sum + kept * right[k]!, 0),
    keptTokens: batches.reduce((sum, { response }) => sum + response.reduce((a, b) => a + b, 0), 0),
  };
}
