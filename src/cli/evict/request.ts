import { createFrom, namesOf } from "../../config/catalogue.ts";
import { selectEntry } from "../../config/load-entry.ts";
import { isModulePath, methodLabel, type MethodChoice } from "../../config/method-choice.ts";
import { nearest } from "../../config/nearest.ts";
import type { Measure } from "../../evaluation/caches/compare.ts";
import { evictionScores } from "../../eviction/catalogue.ts";
import type { EvictionScore } from "../../eviction/key-score.ts";
import { UserError } from "../../system/errors.ts";
import { gateRequest, type GateRequest } from "../open-gates.ts";
import { amount, oneOf, requiredValue, wholeNumber } from "../values.ts";

export const tasks = ["needle", "text", "task"] as const;

export type Task = (typeof tasks)[number];

/** What answers are judged by. */
export const measures: Readonly<Record<Task, Measure>> = {
  needle: { of: "recalled", higherIsBetter: true },
  text: { of: "nll", higherIsBetter: false },
  task: { of: "correct", higherIsBetter: true },
};

/** Flags that one task or another does not look at. */
const unused: Readonly<Record<Task, readonly string[]>> = {
  needle: ["following", "max-tokens", "chat-template"],
  text: ["blind", "max-tokens", "chat-template"],
  task: ["tokens"],
};

const defaults = {
  needle: { rows: 10, tokens: 400, following: 0 },
  text: { rows: 8, tokens: 512, following: 64 },
  task: { rows: 50, tokens: 0, following: 64 },
} as const;

interface Values {
  readonly [flag: string]: string | boolean | readonly string[] | undefined;
}

/** What the flags ask for, checked before anything is loaded. */
export interface EvictRequest {
  readonly model: string;
  readonly task: Task;
  readonly methods: readonly MethodChoice[];
  /** Of one training of gates, or of several. */
  readonly gates: readonly GateRequest[];
  readonly keep: readonly number[];
  readonly rows: number;
  readonly seeds: readonly number[];
  readonly blind: boolean;
  readonly tokens: number;
  readonly following: number;
  readonly maxNewTokens: number;
  readonly batchSize: number;
  readonly sinks: number | undefined;
  readonly window: number | undefined;
  readonly out: string;
}

/** @throws UserError naming the flag at fault */
export function evictRequest(values: Values): EvictRequest {
  const text = (flag: string): string | undefined => values[flag] as string | undefined;
  const whole = (flag: string, minimum = 1): number | undefined => wholeNumber(flag, text(flag), { minimum });
  const model = requiredValue("model", text("model"), "a model folder or a GGUF file");
  const task = oneOf("task", requiredValue("task", text("task"), `one of ${tasks.join(", ")}`), tasks);
  const foreign = unused[task].find((flag) => values[flag] !== undefined);
  if (foreign !== undefined)
    throw new UserError("unused-option", `--${foreign} is not used by --task ${task}`, {
      fix: foreign === "blind" ? "A text has no question that a score could be kept from seeing." : "Leave it out.",
    });
  requiredValue("data", text("data"), "a data file");
  const out = requiredValue("out", text("out"), "a folder to write to");
  return {
    ...{ model, task, out, ...defaults[task] },
    methods: methodsNamed(text("methods")),
    gates: gateFolders((values["gates"] ?? []) as readonly string[]),
    keep: listOf("keep", text("keep") ?? "0.6,0.4,0.25", (part) => shareOf(part)),
    rows: whole("rows") ?? defaults[task].rows,
    seeds: listOf("seeds", text("seeds") ?? "0", (part) =>
      wholeNumber("seeds", part, { minimum: 0, maximum: 10_000 })!,
    ),
    blind: values["blind"] === true,
    tokens: whole("tokens", 32) ?? defaults[task].tokens,
    following: whole("following") ?? defaults[task].following,
    maxNewTokens: whole("max-tokens") ?? 128,
    batchSize: whole("batch-size") ?? 16,
    sinks: whole("sinks", 0),
    window: whole("window", 0),
  };
}

function gateFolders(folders: readonly string[]): GateRequest[] {
  const again = folders.find((folder, i) => folders.indexOf(folder) < i);
  if (again !== undefined) throw new UserError("invalid-option", `--gates names ${again} twice`);
  return folders.map((gates) => gateRequest({ gates })!);
}

function shareOf(part: string): number {
  const share = amount("keep", part)!;
  if (share > 0 && share <= 1) return share;
  throw new UserError("invalid-option", `--keep is ${share}, but must be above 0 and at most 1`);
}

function listOf<T>(flag: string, text: string, read: (part: string) => T): T[] {
  const parts = text.split(",").map((part) => part.trim());
  const list = parts.map(read);
  const again = list.findIndex((value, i) => list.indexOf(value) < i);
  if (again < 0) return list;
  throw new UserError("invalid-option", `--${flag} names ${parts[again]} twice`);
}

/** Always in the table, whether named or not. */
const controls = ["full", "random", "recent", "future"];

/** `snap-kv:window=8`: a score by name or file, with options of its own. */
function methodsNamed(text: string | undefined): MethodChoice[] {
  if (text === undefined) return namesOf(evictionScores).map((method) => ({ method }));
  const choices = listOf("methods", text, (part) => part).filter(
    (part) => !controls.includes(part) && part !== "gates",
  );
  return choices.map((part): MethodChoice => {
    const [method = "", ...options] = part.split(":");
    if (!isModulePath(method) && !namesOf(evictionScores).includes(method)) {
      const near = nearest(method, [...namesOf(evictionScores), ...controls]);
      throw new UserError("unknown-method", `--methods names ${JSON.stringify(method)}, which is no eviction score`, {
        fix: near === undefined ? `Scores: ${namesOf(evictionScores).join(", ")}.` : `Did you mean ${near}?`,
      });
    }
    const choice = { method, ...Object.fromEntries(options.map((option) => optionOf(part, option))) };
    if (!isModulePath(method)) createFrom(evictionScores, choice);
    return choice;
  });
}

function optionOf(method: string, text: string): [string, unknown] {
  const [key, value, ...more] = text.split("=");
  if (key === "" || value === undefined || value === "" || more.length > 0)
    throw new UserError("malformed-option", `--methods ${method}: ${text} is not of the form OPTION=VALUE`);
  return [key!, Number.isNaN(Number(value)) ? value : Number(value)];
}

/** The scores with the names that the table gives them. */
export async function openMethods(methods: readonly MethodChoice[]): Promise<EvictionScore[]> {
  const scores: EvictionScore[] = [];
  for (const choice of methods) {
    const { method, ...options } = choice;
    const own = Object.entries(options).map(([key, value]) => `${key} ${String(value)}`);
    const name = [methodLabel(method), ...own].join(" ");
    scores.push({ ...(await selectEntry(evictionScores, choice, process.cwd())), name });
  }
  return scores;
}
