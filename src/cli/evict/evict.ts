import { writeFile } from "node:fs/promises";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { namesOf } from "../../config/catalogue.ts";
import type { Dataset } from "../../data/dataset.ts";
import { comparedCandidates, type ComparedCandidate } from "../../evaluation/caches/candidates.ts";
import { compareCaches, type CacheComparison } from "../../evaluation/caches/compare.ts";
import { evaluateCaches } from "../../evaluation/caches/evaluate-caches.ts";
import { stretches, tallying } from "../../evaluation/caches/tally.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import { gateEviction } from "../../eviction/cache/evictions.ts";
import { rankByGates, rankByScore } from "../../eviction/cache/rankings.ts";
import type { EvictionScore } from "../../eviction/key-score.ts";
import type { Model } from "../../model/model.ts";
import { requireReplaceable, writeWholeFolder } from "../../model/weights/whole-folder.ts";
import { resultText } from "../../recipes/kit/results.ts";
import { createProgress } from "../../report/progress.ts";
import { UserError } from "../../system/errors.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { watchInterruption } from "../../system/interruption.ts";
import type { TextStream } from "../../system/streams.ts";
import { terminalText } from "../../system/visible-text.ts";
import { engineText, type EngineInfo } from "../../tensor/engine.ts";
import { verifier } from "../../text/index.ts";
import { defineCommand } from "../command.ts";
import { dataFlag, openData, readingFlags } from "../data-flags.ts";
import { engineFlags, withEngine } from "../engine.ts";
import { openGates, type OpenGates } from "../open-gates.ts";
import { adapterFlag, openModel } from "../open-model.ts";
import { evictPage } from "./page.ts";
import { problemsOf, type TaskProblem } from "./problems.ts";
import { evictRequest, measures, openMethods, type EvictRequest } from "./request.ts";
import { columns, rowOf, sentences } from "./results.ts";

const files = ["results.json", "table.txt", "report.html"];
const { format, field, split, "chat-template": template } = readingFlags;

/** `tokensift evict`. */
export const evict = defineCommand({
  usage: "evict --model DIR|FILE.gguf --task needle|text|task --data FILE --out DIR [--methods NAMES] [flags]",
  summary: "Compares what caches that drop entries still know: scores, trained gates and controls, at several sizes.",
  details: `
A prompt is read once, with all its entries; then each method chooses, in every layer and key-value head, which to keep,
and the rest is dropped. --task says what is then measured over what is left:
  needle    whether a number is found that stands in one of several paragraphs of the data (--tokens of them, 400), at
            five depths in turn: --rows texts for each of --seeds
  text      the loss of the --following tokens (64) behind --tokens tokens (512) of the data, --rows stretches of it
  task      right answers to the first --rows questions of the data
and for all of them the loss of what really follows (of a task its first --following tokens), and the error of attention:
how far each layer's is from that to all entries, on the tokens that follow, as a share of its length.

Always in the table: full (all entries), random (of --seeds), recent (the most recent), and future: the entries to which
what really follows will attend most. It has seen the answer, and bounds what a method can reach from above, roughly.
Every cache keeps the same first and last tokens. Milliseconds are those of one prompt's scoring and choosing.

--blind chooses before the question is read: its last sentence, of a task. Then the question is read over the kept entries.
--methods are eviction scores, files of your own that export one, and options behind a colon: snap-kv:window=8.
Scores: ${namesOf(evictionScores).join(", ")}.`,
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    ...adapterFlag,
    gates: {
      type: "string",
      multiple: true,
      value: "DIR",
      description: "Trained gates: the folder gates/ of a run. Of the same with other seeds: once for each.",
    },
    methods: {
      type: "string",
      value: "NAMES",
      description: "Scores, with commas between. Default: all that there are.",
    },
    keep: { type: "string", value: "SHARES", description: "Shares of a prompt to keep. Default 0.6,0.4,0.25." },
    task: { type: "string", value: "NAME", description: "needle, text or task." },
    ...dataFlag,
    ...{ format, field, split, "chat-template": template },
    rows: { type: "string", value: "N", description: "Problems (of a needle: for each seed). Default 10, 8, 50." },
    seeds: { type: "string", value: "LIST", description: "Of random entries, and of needles. Default 0." },
    blind: { type: "boolean", description: "Choose before the question is read." },
    tokens: { type: "string", value: "N", description: "Tokens of a needle's text (400), or of a text (512)." },
    following: {
      type: "string",
      value: "N",
      description: "Tokens of what follows whose loss is measured. Default 64.",
    },
    "max-tokens": { type: "string", value: "N", description: "Most new tokens of an answer. Default 128." },
    sinks: { type: "string", value: "N", description: "First tokens that all keep. Default 4, or as the gates." },
    window: { type: "string", value: "N", description: "Last tokens that all keep. Default 16, or as the gates." },
    "batch-size": { type: "string", value: "N", description: "Prompts at a time, for memory. Default 16." },
    out: { type: "string", short: "o", value: "DIR", description: `Folder for ${files.join(", ")}.` },
    overwrite: { type: "boolean", description: "Replace what an earlier run wrote there." },
    ...engineFlags,
  },
  run: async (values, { stdout, stderr }) => {
    const request = evictRequest(values);
    const scores = await openMethods(request.methods);
    await requireFolder(request.out, values.overwrite ?? false);
    const { task, seeds } = request;
    const { format, field, split, data } = values;
    const dataset = await openData({
      ...(task === "task" && { rows: String(request.rows) }),
      ...Object.fromEntries(Object.entries({ format, field, split, data }).filter(([, value]) => value !== undefined)),
    });
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    try {
      await withEngine(values, stderr, async (engine) => {
        using opened = await openModel(request.model, { adapter: values.adapter, say });
        const { model } = opened;
        using gates = await openAll(request.gates, model, say);
        const problems = await problemsOf(model, dataset, request, values, say);
        const sinks = request.sinks ?? gates.use?.sinks ?? 4;
        const window = request.window ?? gates.use?.window ?? 16;
        const candidates = candidatesOf(model, request, { scores, gates: gates.opened, seeds, sinks, window });
        const comparison = await compare(model, request, { problems, candidates, stderr });
        const about = aboutOf(values, request, { engine, model, dataset, problems, sinks, window });
        const rows = comparison.caches.map((cache) => rowOf(cache, comparison.measure, problems));
        const said = sentences(comparison, problems.length);
        const table = resultText(columns, rows);
        const page = evictPage({ about, comparison, rows, said, problems });
        await writeWholeFolder(request.out, files, async (folder) => {
          const json = { about, sentences: said, rows };
          await writeFile(join(folder, "results.json"), `${JSON.stringify(json, undefined, 1)}\n`);
          await writeFile(join(folder, "table.txt"), `${table}\n${said.join("\n")}\n`);
          await writeFile(join(folder, "report.html"), page);
        });
        stdout.write(`${table}\n${said.join("\n")}\n`);
        stderr.write(`${terminalText(join(request.out, "report.html"))}\n`);
      });
    } finally {
      await dataset.close();
    }
  },
});

/** All gates that were asked for, which are to decide about the same tokens. */
async function openAll(
  requests: EvictRequest["gates"],
  model: Model,
  say: (sentence: string) => void,
): Promise<{ readonly opened: readonly OpenGates[]; readonly use: OpenGates["use"] | undefined } & Disposable> {
  const opened: OpenGates[] = [];
  const close = (): void => opened.forEach((gates) => gates[Symbol.dispose]());
  try {
    for (const request of requests) {
      const gates = await openGates(request, model, say);
      opened.push(gates);
      const [{ use }] = opened as [OpenGates];
      const kind = ({ ratio, sinks, window }: OpenGates["use"]) => [ratio === undefined, sinks, window].join();
      if (kind(gates.use) !== kind(use))
        throw new UserError("model-mismatch", `these gates decide otherwise than those in ${requests[0]!.folder}`, {
          where: `--gates ${request.folder}`,
          fix: "Give gates of one configuration that were trained with different seeds.",
        });
    }
  } catch (error) {
    close();
    throw error;
  }
  return { opened, use: opened[0]?.use, [Symbol.dispose]: close };
}

async function requireFolder(folder: string, overwrite: boolean): Promise<void> {
  const there = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
  const foreign = there.find((name) => !files.includes(name));
  if (foreign !== undefined)
    throw new UserError("foreign-files", `this folder holds other files: ${foreign}`, {
      where: folder,
      fix: "Name a new folder.",
    });
  if (there.length > 0 && !overwrite)
    throw new UserError("file-exists", "an earlier run wrote into this folder", {
      where: folder,
      fix: "Give --overwrite to replace it, or another name.",
    });
  await requireReplaceable(folder, (path) => files.includes(path));
}

function candidatesOf(
  model: Model,
  { task, keep }: EvictRequest,
  {
    scores,
    gates,
    seeds,
    ...exempt
  }: {
    scores: readonly EvictionScore[];
    gates: readonly OpenGates[];
    seeds: readonly number[];
    sinks: number;
    window: number;
  },
): ComparedCandidate[] {
  const ranking = gates.filter(({ use }) => use.ratio !== undefined);
  const compared = comparedCandidates(model, {
    ...{ keep, sinks: exempt.sinks, recent: exempt.window },
    seeds: task === "needle" ? [0] : seeds, // a needle's row differs from seed to seed, and so does what is drawn
    scores: scores.map((score) => rankByScore(model, score)),
    gates: ranking.map(({ gates }) => rankByGates(gates, exempt)),
  });
  const deciding = gates.filter(({ use }) => use.ratio === undefined);
  return [
    ...compared,
    ...deciding.map(({ gates, use: { threshold } }): ComparedCandidate => {
      const eviction = gateEviction(model, gates, { ...exempt, ...(threshold !== undefined && { threshold }) });
      return { name: "gates", role: "gates", eviction };
    }),
  ];
}

async function compare(
  model: Model,
  { task, maxNewTokens, batchSize }: EvictRequest,
  {
    problems,
    candidates,
    stderr,
  }: { problems: readonly TaskProblem[]; candidates: readonly ComparedCandidate[]; stderr: TextStream },
): Promise<CacheComparison> {
  const tally = tallying(model, candidates, problems.length);
  const { verify, close } = verifier();
  using interruption = watchInterruption();
  const progress = createProgress({ stream: stderr, total: problems.length * candidates.length, label: "evict" });
  try {
    await evaluateCaches(model, problems, candidates, {
      ...{ force: true, errors: true, batchSize, ...(task === "task" && { maxNewTokens }) },
      async onOutcome(candidate, index, outcome) {
        const { answer } = outcome;
        if (answer === undefined) return tally.add(candidate, index, outcome);
        const response = model.tokenizer.decode(answer.ids, { skipSpecialTokens: true });
        const reference = problems[index]!.answer!;
        const { verdict } = await verify({ response, reference, finished: answer.finished });
        tally.add(candidate, index, outcome, verdict === "correct");
      },
      onProgress(step) {
        progress.update({ step });
        if (interruption.asked()) throw new Interrupted("stopped: no file was written");
      },
    });
  } catch (error) {
    return interruption.rethrow(error);
  } finally {
    progress.done();
    await close();
  }
  return compareCaches(tally.done(), measures[task]);
}

/** What was run, for the files. */
function aboutOf(
  values: { readonly data?: string; readonly model?: string; readonly adapter?: string; readonly gates?: string[] },
  request: EvictRequest,
  on: {
    engine: EngineInfo;
    model: Model;
    dataset: Dataset;
    problems: readonly TaskProblem[];
    sinks: number;
    window: number;
  },
): Record<string, unknown> {
  const { task, keep, seeds, blind, tokens, following, maxNewTokens, methods } = request;
  const { model, engine, dataset, problems, sinks, window } = on;
  return {
    ...{ task, blind, model: values.model, modelFingerprint: model.fingerprint },
    ...(values.adapter !== undefined && { adapter: values.adapter }),
    ...(values.gates !== undefined && { gates: values.gates.join(", ") }),
    ...{ data: values.data, dataFingerprint: dataset.fingerprint, methods, keep, seeds },
    ...(task !== "task" && { tokens }),
    ...(task !== "needle" && { following }),
    ...(task === "task" && { maxNewTokens }),
    ...{ sinks, window, stretches, engine: engineText(engine) },
    problems: problems.map(({ row, rows, seed, depth, context, question, reference }) => ({
      ...(seed === undefined ? { row } : { seed, depth }),
      ...(rows && { rows }),
      tokens: { context: context.length, question: question?.length ?? 0, reference: reference?.length ?? 0 },
    })),
  };
}
