import { selectEntry } from "../../config/load-entry.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { baselineNames } from "./config.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { evaluateCaches, type WritingPace } from "../../evaluation/caches/evaluate-caches.ts";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import { evictionOf, type CacheCandidate, type CacheOutcome } from "../../evaluation/caches/problem.ts";
import { keepEverything } from "../../eviction/cache/evictions.ts";
import { promptAccount } from "../../eviction/cache/prompt-account.ts";
import { raggedCache } from "../../eviction/cache/ragged-cache.ts";
import type { PromptRanking } from "../../eviction/cache/prompt-ranking.ts";
import { rankByGates, rankByScore } from "../../eviction/cache/rankings.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import type { CacheBudget } from "../../eviction/keep-budget.ts";
import type { EvictionScore } from "../../eviction/key-score.ts";
import type { ExemptionOptions } from "../../eviction/exemptions.ts";
import type { Model } from "../../model/model.ts";
import { optional } from "../../system/optional.ts";
import { verifier } from "../../text/index.ts";
import { startOf, trunkLoading } from "../kit/adapter.ts";
import { ownOfAnswers } from "../kit/own-metric.ts";
import type { RunInputs } from "../kit/inputs.ts";
import {
  judgeResponses,
  questionsOf,
  sampleAnswers,
  sampledAccuracy,
  sampledRates,
  type Drawn,
  type Judged,
  type Question,
  type SampledRates,
  type Verify,
} from "../kit/responses/index.ts";
import type { RecipeWork } from "../kit/recipe.ts";
import { stoppable, type Reporter } from "../kit/reporter.ts";
import type { ResultRow } from "../kit/results.ts";

/** Answers to held-out prompts over one kind of cache. */
export interface CacheResult extends ResultRow, Partial<SampledRates>, Partial<OwnNumbers> {
  /** The model that answered. */
  readonly model: string;
  /** What chose the entries. */
  readonly cache: string;
  /** Share of a prompt that it was to keep, where that was given beforehand. */
  readonly keep?: number;
  readonly rows: number;
  /** Share of greedy answers that are right. */
  readonly accuracy: number;
  /** Mean over rows of the probability of the whole response over this cache, where it was computed. */
  readonly referenceProbability?: number;
  /** Share of the prompts' entries that may be evicted and were; exempt tokens and padding do not count. */
  readonly evicted: number;
  /** Share of all of the prompts' entries that are kept. */
  readonly kept: number;
  /** Of a prompt's entries, on average. */
  readonly bytes: number;
  /** New tokens a second, prompts not counted. */
  readonly tokensPerSecond: number;
  /** Share kept of the evictable entries that the data mark as key, and of the others. */
  readonly keptKey?: number;
  readonly keptOthers?: number;
  readonly rowCorrect: readonly number[];
}

/** What gates keep that foresee attention, of each share that is to be measured. */
export function budgetCandidates(
  gates: GateNetwork,
  { gates: { sinks, window }, evaluation: { keep = [] } }: AttentionGateConfig,
): CacheCandidate[] {
  const ranking = rankByGates(gates, { sinks, window });
  return keep.map((ratio) => ofShare("gates", ranking, { ratio, sinks, recent: window }));
}

/**
 * All entries, and what each configured baseline keeps of them: the shares that are to be measured, or else as large a
 * share as `budget`; none where that is all.
 * @throws UserError for a module of the user's that cannot be used
 */
export async function baselineCandidates(
  model: Model,
  { gates: { sinks, window }, evaluation: { baselines, keep } }: AttentionGateConfig,
  budget = 1,
): Promise<CacheCandidate[]> {
  const names = baselineNames(baselines);
  const rankings = (await openScores(baselines)).map((score) => rankByScore(model, score));
  const all = (keep ?? [budget]).flatMap((ratio): CacheCandidate[] => {
    if (ratio >= 1) return [];
    const cache = { ratio, sinks, recent: window };
    return rankings.map((ranking, index) =>
      keep ? ofShare(names[index]!, ranking, cache) : { name: names[index]!, ranking, budget: cache },
    );
  });
  return [everyEntry(model), ...all];
}

/** All entries. */
export const everyEntry = (model: Model): CacheCandidate => ({ name: "full", eviction: keepEverything(model) });

const ofShare = (name: string, ranking: PromptRanking, budget: CacheBudget & { ratio: number }): CacheCandidate => ({
  ...{ name: `${name} ${budget.ratio}`, keep: budget.ratio },
  ...{ ranking, budget },
});

/** The baselines' scores. Throws a UserError for a module of the user's that cannot be used. */
export function openScores(baselines: readonly MethodChoice[]): Promise<EvictionScore[]> {
  return Promise.all(baselines.map((choice) => selectEntry(evictionScores, choice, process.cwd())));
}

/** Who answers, and what. */
export interface AnswerWork {
  readonly config: AttentionGateConfig;
  readonly inputs: Pick<RunInputs, "validation" | "answersOf">;
  readonly model: Model;
  readonly name: string;
  readonly working: Reporter["working"];
}

/**
 * Answers over each cache, as the configuration says.
 * @param onJudged told the likeliest ones over a cache, by its name
 */
export async function answerOverEach(
  candidates: readonly CacheCandidate[],
  work: AnswerWork,
  onJudged?: (cache: string, answers: readonly Judged[]) => void,
): Promise<CacheResult[]> {
  const { config, inputs, model } = work;
  const { validation: held, answersOf } = inputs;
  if (held === undefined || config.gates.rows === "text" || candidates.length === 0) return [];
  const questions = await questionsOf(held, model.tokenizer, answersOf, config.evaluation.rows);
  const { answers, pace } = await writeAnswers(candidates, work, questions);
  const { verify, close } = verifier();
  try {
    const results: CacheResult[] = [];
    for (const [c, candidate] of candidates.entries()) {
      const drawn = answers[c]!.map(({ answer }, i): Drawn => ({ ...questions[i]!, sample: 0, ...answer! }));
      const judged = await judgeResponses(drawn, questions, { tokenizer: model.tokenizer, verify });
      onJudged?.(candidate.name, judged);
      const sampled = await sampleOver(candidate, work, questions, verify);
      const { tokens, seconds } = pace[c]!;
      results.push({
        model: work.name,
        cache: candidate.name,
        ...(candidate.keep !== undefined && { keep: candidate.keep }),
        rows: questions.length,
        accuracy: sampledAccuracy(judged),
        ...accountOf(
          answers[c]!.map(({ keep }) => keep),
          { held, questions },
          model,
          config.gates,
        ),
        tokensPerSecond: seconds > 0 ? tokens / seconds : 0,
        rowCorrect: judged.map(({ verdict }) => Number(verdict === "correct")),
        ...sampledRates(
          sampled,
          questions.map(({ rowId }) => rowId),
        ),
        ...(await ownOfAnswers(config.evaluation, questions, { greedy: judged, sampled }, model.tokenizer)),
      });
    }
    return results;
  } finally {
    await close();
  }
}

/** The likeliest answer to each question over each cache, and what the cache kept. */
async function writeAnswers(
  candidates: readonly CacheCandidate[],
  { config, model, working }: AnswerWork,
  questions: readonly Question[],
): Promise<{ answers: Pick<CacheOutcome, "keep" | "answer">[][]; pace: readonly WritingPace[] }> {
  const { maxNewTokens, batchSize } = config.evaluation;
  const answers = candidates.map((): Pick<CacheOutcome, "keep" | "answer">[] => []);
  const problems = questions.map(({ rowId, prompt }) => ({ row: rowId, context: prompt }));
  const pace = await evaluateCaches(model, problems, candidates, {
    ...{ maxNewTokens, batchSize },
    onOutcome: (c, problem, { keep, answer }) => void (answers[c]![problem] = { keep, ...optional({ answer }) }),
    onProgress: (done, total) => working("answering over caches", done, total),
  });
  return { answers, pace };
}

/** Answers of the model as it started, over all entries and over the baselines' caches. */
export async function answerFrozen(
  { config, reporterOf, interrupted }: RecipeWork<AttentionGateConfig>,
  inputs: RunInputs,
  budget: number,
): Promise<CacheResult[]> {
  const name = "model";
  const { working } = stoppable(reporterOf(name), interrupted);
  const trunk = await inputs.shareModel(trunkLoading(inputs.shape, [config.adapter]));
  try {
    const { model, release } = await startOf(trunk, config.adapter);
    try {
      const candidates = await baselineCandidates(model, config, budget);
      return await answerOverEach(candidates, { config, inputs, model, name, working });
    } finally {
      release();
    }
  } finally {
    trunk.dispose();
  }
}

interface HeldOut {
  readonly held: TokenizedDataset;
  readonly questions: readonly Question[];
}

/** Sampled answers over the same cache; none where none are asked for. */
async function sampleOver(
  candidate: CacheCandidate,
  { config, model, working }: AnswerWork,
  questions: readonly Question[],
  verify: Verify,
): Promise<Judged[]> {
  const { samples, temperature, maxNewTokens, batchSize } = config.evaluation;
  return sampleAnswers(model, questions, {
    ...{ samples, temperature, maxNewTokens, batchSize, verify },
    ...{ seed: config.training.seed, cache: raggedCache(evictionOf(model, candidate)) },
    onProgress: (done, total) => working(`sampling answers over ${candidate.name}`, done, total),
  });
}

/** What the caches kept of the prompts, given in the questions' order. */
function accountOf(
  kept: readonly (readonly Uint8Array[])[],
  { held, questions }: HeldOut,
  model: Model,
  exemptions: ExemptionOptions,
): Pick<CacheResult, "evicted" | "kept" | "bytes" | "keptKey" | "keptOthers"> {
  const { keyValueHeads: heads } = model.config;
  const sum = { evictable: 0, evicted: 0, bytes: 0, full: 0, key: [0, 0], others: [0, 0] };
  const hasMarks = held.columnNames.includes("key");
  kept.forEach((keep, index) => {
    const account = promptAccount(keep, questions[index]!.prompt.length, model, exemptions);
    const { evictableTokens } = account;
    for (const part of ["evictable", "evicted", "bytes", "full"] as const) sum[part] += account[part];
    if (!hasMarks) return;
    const marks = held.row(index).columns["key"]!;
    for (const layer of keep)
      layer.forEach((flag, i) => {
        const token = Math.floor(i / heads);
        if (!evictableTokens[token]) return;
        const counts = marks[token] ? sum.key : sum.others;
        counts[0]! += flag;
        counts[1]! += 1;
      });
  });
  const share = ([part, whole]: number[]): number => (whole === 0 ? 1 : part! / whole!);
  return {
    evicted: share([sum.evicted, Math.max(1, sum.evictable)]),
    kept: share([sum.bytes, sum.full]),
    bytes: sum.bytes / questions.length,
    ...(hasMarks && { keptKey: share(sum.key), keptOthers: share(sum.others) }),
  };
}
