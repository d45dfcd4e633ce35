import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { terminalText } from "../system/visible-text.ts";
import { lastOfEachStep } from "../training/evaluation-lines.ts";

/** A JSON object of a file that may have been changed by anything. */
export type JsonObject = Readonly<Record<string, unknown>>;

const largestFile = 256 * 2 ** 20;

/** The text of a file of a run; undefined if it is not there. */
export function runText(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  try {
    const about = statSync(path, { throwIfNoEntry: false });
    if (about === undefined) return undefined;
    if (!about.isFile())
      throw new UserError("not-a-file", "is not a file", { where: path, fix: "A run's folder holds a file here." });
    if (about.size > largestFile)
      throw new UserError("too-large", `has ${about.size} bytes; a report reads at most 256 MB`, { where: path });
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError("unreadable", `cannot be read (${(cause as Error).message})`, { where: path, cause });
  }
}

/** The JSON object that a file holds; undefined if it is not there. */
export function runObject(folder: string, name: string): JsonObject | undefined {
  const text = runText(folder, name);
  if (text === undefined) return undefined;
  const value = parsed(text);
  if (isRecord(value)) return value;
  throw new UserError("damaged-file", "does not hold a JSON object", {
    where: join(folder, name),
    fix: "Delete the file to have the report made without it.",
  });
}

/** The objects of a JSON Lines file, in order. A last line without newline that does not parse was cut off: it is left out. */
export function runLines(folder: string, name: string): JsonObject[] {
  const lines = (runText(folder, name) ?? "").split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const value = parsed(line);
    if (isRecord(value) && isStep(value["step"])) return [value];
    if (index === lines.length - 1 && value === undefined) return [];
    throw new UserError("damaged-log", "is not a line of a run's log", {
      where: `${join(folder, name)}:${index + 1}`,
      fix: 'Each line is a JSON object with a "step". Repair or delete the line.',
    });
  });
}

/** The evaluations of an arm, one of each step. */
export function evaluationLines(folder: string): JsonObject[] {
  return lastOfEachStep(runLines(folder, "evaluation.jsonl"));
}

/** Of the lines of a log that of the step whose model is saved, where that is not the last one's; else the last. */
export function savedLine<Line extends { readonly step?: unknown }>(
  lines: readonly Line[],
  savedStep: unknown,
): Line | undefined {
  const each = lastOfEachStep(lines);
  return each.find(({ step }) => step === savedStep) ?? each.at(-1);
}

function isStep(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A finite number, or NaN for whatever is none (a log writes NaN and Infinity as null). */
export function numberOf(value: unknown): number {
  return typeof value === "number" ? value : NaN;
}

/** A list of numbers, NaN where an entry is none; undefined if it is no list. */
export function numbersOf(value: unknown): number[] | undefined {
  return Array.isArray(value) ? value.map(numberOf) : undefined;
}

/** Of each row the probability of its reference response, where an evaluation says that it was measured; else none. */
export function rowProbabilitiesOf(evaluation: JsonObject): number[] {
  if (!Number.isFinite(numberOf(evaluation["referenceProbability"]))) return [];
  const [losses, tokens] = ["rowLosses", "rowTokens"].map((key) => numbersOf(evaluation[key]) ?? []);
  return losses!.map((loss, i) => Math.exp(-loss * (tokens![i] ?? NaN)));
}

const mostOwn = 20;

/** Lists for single rows by the names of the numbers of the user's own metric, where a line has such. */
export function ownMetricsOf(line: JsonObject): Readonly<Record<string, readonly number[]>> {
  const own = line["ownMetrics"];
  const entries = Object.entries(isRecord(own) ? own : {}).filter(([name]) => Number.isFinite(numberOf(line[name])));
  return Object.fromEntries(entries.slice(0, mostOwn).map(([name, rows]) => [name, numbersOf(rows) ?? []]));
}

/** The numbers themselves, with those lists. */
export function ownNumbersOf(line: JsonObject): { ownMetrics: ReturnType<typeof ownMetricsOf> } {
  const ownMetrics = ownMetricsOf(line);
  return { ...Object.fromEntries(Object.keys(ownMetrics).map((name) => [name, numberOf(line[name])])), ownMetrics };
}

/** Text, or undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Text as one line that is safe to show anywhere, at most `longest` long; undefined if it is none. */
export function labelOf(value: unknown, longest = 100): string | undefined {
  if (typeof value !== "string") return undefined;
  const line = terminalText(value.slice(0, 4 * longest)).replaceAll("\n", " ");
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}
