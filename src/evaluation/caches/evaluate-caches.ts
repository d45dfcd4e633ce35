import { forkedCache, type ForkedCache } from "../../eviction/cache/forked-cache.ts";
import type { PrefillEviction } from "../../eviction/cache/ragged-cache.ts";
import type { Decoder } from "../../model/decoder.ts";
import { UserError } from "../../system/errors.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { optional } from "../../system/optional.ts";
import { chooser, type Chooser } from "./choose.ts";
import { continuing, type Continuing, type OpenText } from "./continue.ts";
import type { CacheCandidate, CacheOutcome, CacheProblem, ForcedToken } from "./problem.ts";
import { tracing, type Trace } from "./trace.ts";

export interface EvaluateCachesOptions {
  /** Read question and reference over each cache. */
  readonly force?: boolean;
  /** Measure how far attention is from that to all entries. */
  readonly errors?: boolean;
  /** Write so many tokens over each cache. */
  readonly maxNewTokens?: number;
  /** Prompts that are read together, unless they are long. Default 16. The outcomes do not depend on it, memory does. */
  readonly batchSize?: number;
  /** Told of each outcome, problem by problem of a few, candidate by candidate. */
  readonly onOutcome: (candidate: number, problem: number, outcome: CacheOutcome) => void | Promise<void>;
  /** Problems times candidates that are done. What it throws ends the evaluation. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a candidate has written. */
export interface WritingPace {
  readonly tokens: number;
  readonly seconds: number;
}

/**
 * What becomes of problems over the caches of several candidates. A prompt is read once for all that read it with all its
 * entries, and once for each eviction that hides entries from the prompt itself. On the cpu engine an outcome depends on
 * its problem and candidate alone, bit for bit.
 * @returns what each candidate has written, and in how long; prompts and questions not counted
 * @throws UserError for a budget or a score that cannot be used
 */
export async function evaluateCaches(
  model: Decoder,
  problems: readonly CacheProblem[],
  candidates: readonly CacheCandidate[],
  options: EvaluateCachesOptions,
): Promise<WritingPace[]> {
  for (const problem of problems) requireRoom(model, problem);
  const pace = candidates.map(() => ({ tokens: 0, seconds: 0 }));
  let done = 0;
  const progress = async (more: number): Promise<void> => {
    options.onProgress?.((done += more), problems.length * candidates.length);
    await letEventsIn();
  };
  const readings = readingsOf(candidates);
  for (const group of groupsOf(problems, options.batchSize ?? 16))
    for (const { attend, members } of readings)
      await evaluateGroup({ model, problems, group, attend, candidates, members, options, pace, progress });
  return pace;
}

function requireRoom({ config }: Decoder, { row, context, question = [], reference = [] }: CacheProblem): void {
  const tokens = context.length + question.length + reference.length;
  const where = `row ${row}`;
  if (context.length === 0) throw new UserError("empty-prompt", "there are no tokens to keep entries of", { where });
  if (tokens <= config.maxPositions) return;
  throw new UserError("too-long", `${tokens} tokens are more than the model's context of ${config.maxPositions}`, {
    where,
    fix: "Give shorter rows.",
  });
}

/** Candidates whose prompts are read in the same way. */
interface ReadingKind {
  readonly attend: PrefillEviction["attend"];
  readonly members: readonly number[];
}

function readingsOf(candidates: readonly CacheCandidate[]): ReadingKind[] {
  const own = (candidate: CacheCandidate) => "eviction" in candidate && candidate.eviction.attend !== undefined;
  const all = [...candidates.keys()];
  const plain = all.filter((c) => !own(candidates[c]!));
  const hiding = all
    .filter((c) => own(candidates[c]!))
    .map((c) => {
      const { eviction } = candidates[c] as { eviction: PrefillEviction };
      return { attend: eviction.attend, members: [c] };
    });
  return [...(plain.length > 0 ? [{ attend: undefined, members: plain }] : []), ...hiding];
}

/** Tokens of prompts that are read together at most, unless one is longer: memory grows with them. */
const TOKENS_AT_ONCE = 1024;

function groupsOf(problems: readonly CacheProblem[], most: number): number[][] {
  const groups: number[][] = [];
  let tokens = Infinity;
  problems.forEach(({ context }, index) => {
    tokens += context.length;
    if (tokens > TOKENS_AT_ONCE || groups.at(-1)!.length >= most) {
      groups.push([]);
      tokens = context.length;
    }
    groups.at(-1)!.push(index);
  });
  return groups;
}

interface Group extends ReadingKind {
  readonly model: Decoder;
  readonly problems: readonly CacheProblem[];
  readonly group: readonly number[];
  readonly candidates: readonly CacheCandidate[];
  readonly options: EvaluateCachesOptions;
  readonly pace: { tokens: number; seconds: number }[];
  progress(more: number): Promise<void>;
}

async function evaluateGroup(work: Group): Promise<void> {
  const { model, group, attend, candidates, members, options, progress } = work;
  const problems = group.map((index) => work.problems[index]!);
  const own = members.map((c) => candidates[c]!);
  const traced = tracing(model.config);
  let tracingNow = false;
  const chosen = chooser(model.config, own, () => cache);
  const cache = forkedCache(model.config, {
    ...(attend && { attend }),
    onPrompt: chosen.add,
    onTokens(layer, tokens, output) {
      if (tracingNow) traced.add(layer, tokens, output);
    },
  });
  const traces: Trace[] = [];
  try {
    const texts = continuing(model, cache);
    const firsts = await texts.start(problems);
    const open = problems.map((problem, row): OpenText => ({
      problem,
      place: group.length + row,
      first: firsts[row]!,
    }));
    if (attend === undefined && (options.errors || own.some(foresees))) {
      tracingNow = true;
      for (const [row, text] of open.entries()) {
        cache.fork(row, text.place, everything(model, text));
        await texts.force([text]);
        cache.dropRow(text.place);
        traces.push(traced.done());
      }
      tracingNow = false;
    }
    for (const [i, candidate] of own.entries()) {
      const outcomes = await overCandidate(
        candidate,
        { cache, texts, open, traces, chosen, options },
        work.pace[members[i]!]!,
      );
      for (const [row, outcome] of outcomes.entries()) await options.onOutcome(members[i]!, group[row]!, outcome);
      await progress(open.length);
    }
  } finally {
    traces.forEach((trace) => trace[Symbol.dispose]());
    traced.done()[Symbol.dispose]();
    chosen.dispose();
    cache.dispose();
  }
}

const foresees = (candidate: CacheCandidate): boolean => "ranking" in candidate && candidate.ranking === "future";

interface OpenGroup {
  readonly cache: ForkedCache;
  readonly texts: Continuing;
  readonly open: readonly OpenText[];
  /** Of each text; none where nothing asks for them. */
  readonly traces: readonly Trace[];
  readonly chosen: Chooser;
  readonly options: EvaluateCachesOptions;
}

async function overCandidate(
  candidate: CacheCandidate,
  { cache, texts, open, traces, chosen, options }: OpenGroup,
  pace: { tokens: number; seconds: number },
): Promise<CacheOutcome[]> {
  const choices: Awaited<ReturnType<Chooser["keep"]>>[] = [];
  for (const [row, { problem }] of open.entries()) {
    const prompt = { row, number: problem.row, length: problem.context.length };
    choices.push(await chosen.keep(candidate, prompt, traces[row]));
  }
  const fork = (): void => open.forEach(({ place }, row) => cache.fork(row, place, choices[row]!.keep));
  const leave = (): void => open.forEach(({ place }) => cache.dropRow(place));
  let references: ForcedToken[][] = [];
  if (options.force) {
    fork();
    references = await texts.force(open);
    leave();
  }
  let answers: NonNullable<CacheOutcome["answer"]>[] = [];
  const { maxNewTokens } = options;
  if (maxNewTokens !== undefined) {
    fork();
    answers = await texts.write(open, { maxNewTokens, pace, onToken: letEventsIn });
    leave();
  }
  const outcomes: CacheOutcome[] = [];
  for (const [row, choice] of choices.entries()) {
    const errors = options.errors && (await traces[row]?.errors(cache.entries(row), choice.keep));
    const [reference, answer] = [references[row], answers[row]];
    outcomes.push({ ...choice, ...optional({ reference, answer }), ...(errors && { errors }) });
  }
  return outcomes;
}

function everything({ config }: Decoder, { problem: { context } }: OpenText): Uint8Array[] {
  return Array.from({ length: config.layers }, () => new Uint8Array(context.length * config.keyValueHeads).fill(1));
}
