import { basename } from "node:path";
import { isRecord } from "../system/is-record.ts";
import { terminalText } from "../system/visible-text.ts";
import type { AnsweredProblem, ArmRun, Evaluation, NoiseCounts, StepMetrics } from "./run.ts";
import {
  evaluationLines,
  type JsonObject,
  labelOf,
  numberOf,
  numbersOf,
  ownMetricsOf,
  rowProbabilitiesOf,
  runLines,
  runObject,
  textOf,
} from "./run-files.ts";

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
    evaluations: evaluationLines(path)
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

/** The answers of a line of an evaluation log, or of another file. */
export function answersIn(value: unknown): AnsweredProblem[] {
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

function dateOf(value: unknown): Date | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
