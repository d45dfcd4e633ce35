import { readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseYaml } from "../config/yaml.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { optional } from "../system/optional.ts";
import { terminalText } from "../system/visible-text.ts";
import { isRunFolder } from "../training/run-folder.ts";
import {
  type JsonObject,
  labelOf,
  numberOf,
  numbersOf,
  ownMetricsOf,
  rowProbabilitiesOf,
  runLines,
  runObject,
  runText,
  textOf,
} from "./run-files.ts";
import type { ExploredContext } from "./explorer/weigh.ts";
import type { ScoredRow } from "./token-picture.ts";

/** One optimizer step's numbers by name; NaN where the log has none. */
export interface StepMetrics {
  readonly step: number;
  readonly value: (name: string) => number;
}

/** One evaluation on the held-out rows. */
export interface Evaluation {
  readonly step: number;
  readonly loss: number;
  readonly perplexity: number;
  readonly exactMatch: number;
  /** One entry per held-out row; empty where the log has none. */
  readonly rowIds: readonly number[];
  readonly rowLosses: readonly number[];
  readonly rowCorrect: readonly number[];
  /** Share of each row's sampled answers that are right. */
  readonly rowPassRate: readonly number[];
  /** Probability of each row's whole reference response. */
  readonly rowProbability: readonly number[];
  /** The most likely answers to some of the rows. */
  readonly answers: readonly AnsweredProblem[];
  /** By the name of a number of the user's own metric, that of each row; empty where it has one for all. */
  readonly ownMetrics: Readonly<Record<string, readonly number[]>>;
  /** Any of its numbers by name; NaN where the log has none. */
  readonly value: (name: string) => number;
}

/** A held-out problem with a model's answer. */
export interface AnsweredProblem {
  readonly row: number;
  readonly prompt: string;
  readonly reference: string;
  readonly answer: string;
  readonly correct: boolean;
}

/** What a run dropped, against labelled noise. Counts of response tokens. */
export interface NoiseCounts {
  readonly tokens: number;
  readonly dropped: number;
  readonly noise: number;
  readonly hits: number;
}

/** One arm's run folder as a report needs it. */
export interface ArmRun {
  readonly name: string;
  readonly method: string;
  readonly metrics: readonly StepMetrics[];
  /** What each step took: `tokensPerSecond` and the like, `memoryMB`. */
  readonly timing: readonly StepMetrics[];
  /** Ascending steps. */
  readonly evaluations: readonly Evaluation[];
  readonly noise: NoiseCounts | undefined;
  readonly warnings: readonly string[];
  readonly engine: string | undefined;
  /** Seconds of all steps; NaN if nothing tells. */
  readonly seconds: number;
  /** Whether the run came to its end, so that it wrote its summary. */
  readonly finished: boolean;
  /** When its last step ended; undefined if nothing tells. */
  readonly time: Date | undefined;
  /** The most that it took; 0 if nothing tells. */
  readonly memoryMB: number;
  /** The step after which early stopping ended it; NaN if it did not. */
  readonly stoppedAt: number;
  /** Why, as a sentence without its subject. */
  readonly stopped: string | undefined;
  /** The step whose model was saved, where that is the best one's; NaN where it is the last one's. */
  readonly savedStep: number;
}

/** How a recipe lays out a run. */
export interface RunLayout {
  /** The main arm as the configuration names it, and its subfolder where it has one. */
  main(config: JsonObject): { name?: string; method?: string; folder?: string };
  /** The other arms, in subfolders of their names. */
  others(config: JsonObject): readonly PlannedArm[];
}

interface PlannedArm {
  readonly name: string;
  readonly method?: string | undefined;
}

/** Fine-tuning: the main arm in the run's folder, one for each rule of `compare` beside it. */
export const finetuneLayout: RunLayout = {
  main: (config) => optional({ method: methodOf(config) }),
  others: (config) => comparedArms(config).map(({ name, entry }) => ({ name, method: methodOf(entry) })),
};

/** The entries of `compare`, each with the name of its arm. */
export function comparedArms(config: JsonObject): { name: string; entry: JsonObject }[] {
  const entries = (Array.isArray(config["compare"]) ? (config["compare"] as unknown[]) : []).filter(isRecord);
  return entries.map((entry) => ({ name: textOf(entry["name"]) ?? "", entry }));
}

/** Rows of tokens.json. */
export interface PicturedRows {
  readonly step: number;
  /** Where the run stood when a rule weighed them. */
  readonly context?: ExploredContext;
  readonly rows: readonly ScoredRow[];
  /** The same rows as they stand in the file, with whatever else it says of them. */
  readonly facts: readonly JsonObject[];
}

/** A run with the arms it is compared with. */
export interface Run {
  readonly path: string;
  readonly main: ArmRun;
  readonly arms: readonly ArmRun[];
  /** Arms that the configuration names and that have no folder. */
  readonly missingArms: readonly string[];
  readonly config: JsonObject;
  readonly configText: string | undefined;
  /** When the last step of any arm ended; undefined if nothing tells. */
  readonly time: Date | undefined;
  readonly memoryMB: number;
  readonly tokens: PicturedRows | undefined;
}

/**
 * Reads a run folder and its arms' folders. Files that are missing, and numbers that are, stay empty.
 * @throws UserError if the folder holds no run, or a file of it is broken; it names file and line
 */
export function readRun(folder: string, layout = finetuneLayout): Run {
  const path = resolve(folder);
  if (!holdsRun(path))
    throw new UserError("no-run", "there is no run here: no metrics.jsonl", {
      where: folder,
      fix: "Name the folder that a training run wrote (its configuration's `output`).",
    });
  const configText = runText(path, "config.yaml");
  const value = configText === undefined ? {} : parseYaml(configText, join(path, "config.yaml")).value;
  const config: JsonObject = isRecord(value) ? value : {};
  const [first, planned] = [layout.main(config), layout.others(config)];
  const found = readdirSync(path).filter((name) => name !== first.folder && holdsRun(join(path, name)));
  const place = (name: string) => {
    const index = planned.findIndex((arm) => arm.name === name);
    return index < 0 ? planned.length : index;
  };
  found.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
  const main = readArm(join(path, first.folder ?? ""), first);
  const arms = found.map((name) =>
    readArm(join(path, name), { name, ...optional({ method: planned.find((arm) => arm.name === name)?.method }) }),
  );
  const ends = [main, ...arms].flatMap(({ time }) => time ?? []);
  return {
    ...{ path, config, configText, main, arms },
    missingArms: planned.map(({ name }) => name).filter((name) => !found.includes(name)),
    time: ends.length === 0 ? undefined : new Date(Math.max(...ends.map(Number))),
    memoryMB: Math.max(...[main, ...arms].map(({ memoryMB }) => memoryMB)),
    tokens: readTokens(path),
  };
}

function holdsRun(path: string): boolean {
  const isFile = (name: string) => statSync(join(path, name), { throwIfNoEntry: false })?.isFile() === true;
  try {
    return (
      statSync(path, { throwIfNoEntry: false })?.isDirectory() === true &&
      (isFile("metrics.jsonl") || isRunFolder(path))
    );
  } catch {
    return false;
  }
}

function methodOf(config: JsonObject): string | undefined {
  const selection = config["selection"];
  return isRecord(selection) ? textOf(selection["method"]) : undefined;
}

/** One arm's folder; whatever is missing in it stays empty. */
export function readArm(path: string, known: { name?: string; method?: string }): ArmRun {
  const summary = runObject(path, "summary.json");
  const metrics = runLines(path, "metrics.jsonl").map(stepOf);
  const method =
    labelOf(summary?.["method"]) ?? labelOf(known.method) ?? labelOf(known.name) ?? labelOf(basename(path))!;
  const timing = runLines(path, "timing.jsonl");
  const timed = timing.map((line) => numberOf(line["seconds"]));
  const seconds = numberOf(summary?.["seconds"]);
  const warnings: unknown = summary?.["warnings"];
  return {
    // The folder's name rather than the file's word: it is the one a person sees.
    name: labelOf(known.name) ?? labelOf(summary?.["name"]) ?? method,
    ...{ method, metrics, timing: timing.map(stepOf) },
    evaluations: runLines(path, "evaluation.jsonl")
      .map(readEvaluation)
      .sort((a, b) => a.step - b.step),
    noise: noiseOf(summary?.["noise"]) ?? noiseOfSteps(metrics),
    warnings: Array.isArray(warnings)
      ? (warnings as unknown[]).map((text) => labelOf(text, 1000)).filter((text) => text !== undefined)
      : [],
    engine: labelOf(summary?.["engine"]),
    seconds: Number.isFinite(seconds) ? seconds : timed.length > 0 ? timed.reduce((sum, x) => sum + (x || 0), 0) : NaN,
    finished: summary !== undefined,
    time: dateOf(timing.at(-1)?.["time"]),
    memoryMB: timing.reduce((most, line) => Math.max(most, numberOf(line["memoryMB"]) || 0), 0),
    stoppedAt: numberOf(summary?.["stoppedAt"]),
    stopped: labelOf(summary?.["stopped"], 300),
    savedStep: numberOf(summary?.["savedStep"]),
  };
}

function stepOf(line: JsonObject): StepMetrics {
  return { step: numberOf(line["step"]), value: valueIn(line) };
}

/** The numbers of a log's line by name. */
function valueIn(line: JsonObject): (name: string) => number {
  return (name) => (Object.hasOwn(line, name) ? numberOf(line[name]) : NaN);
}

function readEvaluation(line: JsonObject): Evaluation {
  const loss = numberOf(line["loss"]);
  const perplexity = numberOf(line["perplexity"]);
  return {
    step: numberOf(line["step"]),
    loss,
    perplexity: Number.isNaN(perplexity) ? Math.exp(loss) : perplexity,
    exactMatch: numberOf(line["exactMatch"]),
    rowIds: numbersOf(line["rowIds"]) ?? [],
    rowLosses: numbersOf(line["rowLosses"]) ?? [],
    rowCorrect: numbersOf(line["rowCorrect"]) ?? [],
    rowPassRate: numbersOf(line["rowPassRate"]) ?? [],
    rowProbability: rowProbabilitiesOf(line),
    answers: answersIn(line["answers"]),
    ownMetrics: ownMetricsOf(line),
    value: valueIn(line),
  };
}

function answersIn(value: unknown): AnsweredProblem[] {
  const listed = Array.isArray(value) ? (value as unknown[]).filter(isRecord) : [];
  return listed.map((entry) => {
    const text = (key: string): string => terminalText((textOf(entry[key]) ?? "").slice(0, 5_000));
    return {
      row: numberOf(entry["row"]),
      ...{ prompt: text("prompt"), reference: text("reference"), answer: text("answer") },
      correct: entry["correct"] === 1,
    };
  });
}

function noiseOf(value: unknown): NoiseCounts | undefined {
  if (!isRecord(value)) return undefined;
  const [tokens, dropped, noise, hits] = ["tokens", "dropped", "noise", "hits"].map((key) => numberOf(value[key]));
  const counts = { tokens: tokens!, dropped: dropped!, noise: noise!, hits: hits! };
  return Object.values(counts).every(Number.isFinite) && noise! > 0 ? counts : undefined;
}

/** The counts of a run that has not come to its summary. */
function noiseOfSteps(metrics: readonly StepMetrics[]): NoiseCounts | undefined {
  const labelled = metrics.filter(({ value }) => Number.isFinite(value("noiseTokens")));
  const sum = (name: string) => labelled.reduce((total, { value }) => total + value(name), 0);
  const tokens = sum("responseTokens");
  return noiseOf({ tokens, dropped: tokens - sum("keptTokens"), noise: sum("noiseTokens"), hits: sum("noiseDropped") });
}

/**
 * The rows that a folder's tokens.json pictures; undefined without the file.
 * @throws UserError if it is broken
 */
export function readTokens(path: string): PicturedRows | undefined {
  const file = runObject(path, "tokens.json");
  if (file === undefined) return undefined;
  const rows = Array.isArray(file["rows"]) ? (file["rows"] as unknown[]) : [];
  const read = (row: unknown, index: number): ScoredRow => {
    const lists = isRecord(row) ? rowLists(row) : undefined;
    if (lists === undefined)
      throw new UserError("damaged-file", "pieces, response, weights and score must be lists of one length", {
        where: `${join(path, "tokens.json")}, row ${index}`,
        fix: "Delete the file to have the report made without token pictures.",
      });
    return lists;
  };
  const step = numberOf(file["step"]);
  const [samplesSeen, seed] = ["samplesSeen", "seed"].map((key) => numberOf(file[key])) as [number, number];
  const known = [step, samplesSeen, seed].every(Number.isFinite);
  return {
    step,
    ...(known && { context: { step, samplesSeen, seed } }),
    rows: rows.map(read),
    facts: rows.filter(isRecord),
  };
}

function rowLists(row: JsonObject): ScoredRow | undefined {
  const pieces: unknown = row["pieces"];
  const [response, weights, score] = ["response", "weights", "score"].map((key) => numbersOf(row[key]));
  const noise = numbersOf(row["noise"]);
  if (!Array.isArray(pieces) || !pieces.every((piece) => typeof piece === "string")) return undefined;
  if (![response, weights, score].every((list) => list?.length === pieces.length)) return undefined;
  if (noise !== undefined && noise.length !== pieces.length) return undefined;
  return {
    ...{ rowId: numberOf(row["rowId"]), pieces, response: response!, weights: weights!, score: score! },
    scoreName: labelOf(row["scoreName"], 40) ?? "score",
    ...(noise === undefined ? {} : { noise }),
  };
}

function dateOf(value: unknown): Date | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
