import { selectEntry } from "../../config/load-entry.ts";
import type { MethodChoice } from "../../config/method-choice.ts";
import { baselineNames } from "./config.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { gateEviction, keepEverything, scoreEviction } from "../../eviction/cache/evictions.ts";
import { promptAccount } from "../../eviction/cache/prompt-account.ts";
import { raggedCache, type PrefillEviction } from "../../eviction/cache/ragged-cache.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import type { EvictionScore } from "../../eviction/key-score.ts";
import type { ExemptionOptions } from "../../eviction/exemptions.ts";
import type { Model } from "../../model/model.ts";
import { verifier } from "../../text/index.ts";
import { startOf } from "../kit/adapter.ts";
import type { RunInputs } from "../kit/inputs.ts";
import {
  drawResponses,
  judgeResponses,
  questionsOf,
  sampleAnswers,
  sampledAccuracy,
  sampledRates,
  type Question,
  type SampledRates,
  type Verify,
} from "../kit/responses/index.ts";
import type { RecipeWork } from "../kit/recipe.ts";
import { stoppable, type Reporter } from "../kit/reporter.ts";
import type { ResultRow } from "../kit/results.ts";

/** Answers to held-out prompts over one kind of cache. */
export interface CacheResult extends ResultRow, Partial<SampledRates> {
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

/** An eviction of which it was said beforehand what it is to keep, or not. */
export type PlannedEviction = PrefillEviction & Pick<CacheResult, "keep">;

/** What gates keep that foresee attention, of each share that is to be measured. */
export function budgetEvictions(
  model: Model,
  gates: GateNetwork,
  { gates: { sinks, window }, evaluation: { keep = [] } }: AttentionGateConfig,
): PlannedEviction[] {
  return keep.map((ratio) => ofShare(gateEviction(model, gates, { sinks, window, ratio }), ratio));
}

/**
 * All entries, and what each configured baseline keeps of them: the shares that are to be measured, or else as large a
 * share as `budget`; none where that is all.
 * @throws UserError for a module of the user's that cannot be used
 */
export async function baselineEvictions(
  model: Model,
  { gates: { sinks, window }, evaluation: { baselines, keep } }: AttentionGateConfig,
  budget = 1,
): Promise<PlannedEviction[]> {
  const names = baselineNames(baselines);
  const scores = await openScores(baselines);
  const scored = (ratio: number) =>
    scores.map((score, index) => ({
      ...scoreEviction(model, score, { ratio, sinks, recent: window }),
      name: names[index]!,
    }));
  const all = (keep ?? [budget]).flatMap((ratio): PlannedEviction[] =>
    ratio < 1 ? scored(ratio).map((each) => (keep ? ofShare(each, ratio) : each)) : [],
  );
  return [keepEverything(model), ...all];
}

const ofShare = (eviction: PrefillEviction, keep: number): PlannedEviction => ({
  ...eviction,
  name: `${eviction.name} ${keep}`,
  keep,
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

/** Answers over one cache after the other, as the configuration says. */
export async function answerOverEach(evictions: readonly PlannedEviction[], work: AnswerWork): Promise<CacheResult[]> {
  const { config, inputs, model } = work;
  const { validation: held, answersOf } = inputs;
  if (held === undefined || config.gates.rows === "text") return [];
  const questions = await questionsOf(held, model.tokenizer, answersOf, config.evaluation.rows);
  const results: CacheResult[] = [];
  for (const eviction of evictions) results.push(await answerOver(eviction, work, { held, questions }));
  return results;
}

/** Answers of the model as it started, over all entries and over the baselines' caches. */
export async function answerFrozen(
  { config, reporterOf, interrupted }: RecipeWork<AttentionGateConfig>,
  inputs: RunInputs,
  budget: number,
): Promise<CacheResult[]> {
  const name = "model";
  const { working } = stoppable(reporterOf(name), interrupted);
  const trunk = await inputs.openModel();
  try {
    const { model, release } = await startOf(trunk, config.adapter);
    try {
      const evictions = await baselineEvictions(model, config, budget);
      return await answerOverEach(evictions, { config, inputs, model, name, working });
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

/** Answers all questions greedily over a cache that evicts, and says what was kept. */
async function answerOver(
  eviction: PlannedEviction,
  work: AnswerWork,
  { held, questions }: HeldOut,
): Promise<CacheResult> {
  const { config, model, name, working } = work;
  const { maxNewTokens, batchSize } = config.evaluation;
  const kept: (readonly Uint8Array[])[] = [];
  const pace = { seconds: 0, tokens: 0, before: { promptTokens: 0, newTokens: 0, seconds: 0 } };
  const { verify, close } = verifier();
  try {
    const drawn = await drawResponses(model, questions, {
      ...{ samples: 1, temperature: 0, maxNewTokens, batchSize, seed: config.training.seed },
      cache: raggedCache(eviction, { onEvicted: (keep) => kept.push([...keep]) }),
      onProgress(done, total, now) {
        if (now.promptTokens === pace.before.promptTokens) {
          pace.seconds += now.seconds - pace.before.seconds;
          pace.tokens += now.newTokens - pace.before.newTokens;
        }
        pace.before = { ...now };
        working(`answering over ${eviction.name}`, done, total);
      },
    });
    const judged = await judgeResponses(drawn, questions, { tokenizer: model.tokenizer, verify });
    return {
      model: name,
      cache: eviction.name,
      ...(eviction.keep !== undefined && { keep: eviction.keep }),
      rows: questions.length,
      accuracy: sampledAccuracy(judged),
      ...accountOf(kept, { held, questions }, model, config.gates),
      tokensPerSecond: pace.seconds > 0 ? pace.tokens / pace.seconds : 0,
      rowCorrect: judged.map(({ verdict }) => Number(verdict === "correct")),
      ...(await sampleOver(eviction, work, questions, verify)),
    };
  } finally {
    await close();
  }
}

/** What sampled answers over the same cache come to, where some are asked for. */
async function sampleOver(
  eviction: PrefillEviction,
  { config, model, working }: AnswerWork,
  questions: readonly Question[],
  verify: Verify,
): Promise<SampledRates | undefined> {
  const { samples, temperature, maxNewTokens, batchSize } = config.evaluation;
  const sampled = await sampleAnswers(model, questions, {
    ...{ samples, temperature, maxNewTokens, batchSize, verify },
    ...{ seed: config.training.seed, cache: raggedCache(eviction) },
    onProgress: (done, total) => working(`sampling answers over ${eviction.name}`, done, total),
  });
  return sampledRates(
    sampled,
    questions.map(({ rowId }) => rowId),
  );
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
