import type { Catalogue } from "../contract/index.ts";
import { methodLabel } from "../config/method-choice.ts";
import { UserError } from "../system/errors.ts";
import { moduleThread } from "../system/module-thread.ts";

/** A held-out problem, as a metric sees it. */
export interface MetricRow {
  /** Row of the problem in the held-out data, from 0. */
  readonly row: number;
  /** The prompt as the model has read it, without special tokens. */
  readonly question: string;
  /** Text that holds the right answer. */
  readonly reference: string;
}

/** What the model answered to one problem. */
export interface MetricAnswer {
  /** The most likely answer, without special tokens. */
  readonly text: string;
  /** Whether the verifier takes it for right. */
  readonly correct: boolean;
  /** Answers drawn to the same problem; as many as `evaluation.samples`. */
  readonly sampled: readonly { readonly text: string; readonly correct: boolean }[];
}

/** Numbers by name. A list has one number for each row, in their order: its mean is the number. */
export type MetricNumbers = Readonly<Record<string, number | readonly number[]>>;

/**
 * A function of the user's own, in a file that `evaluation.metric` names: what it makes of held-out problems and the
 * answers to them.
 * @param answers one for each row, in the same order
 */
export type MetricFunction = (
  rows: readonly MetricRow[],
  answers: readonly MetricAnswer[],
) => MetricNumbers | Promise<MetricNumbers>;

/** Metrics are all the user's own. */
export const metrics: Catalogue<MetricFunction> = {
  kind: "metric",
  title: "Metrics",
  key: "evaluation.metric",
  entries: [],
  own: {
    value: "metric",
    create: "createMetric",
    type: "MetricFunction",
    callable: true,
    problems: () => [],
    fix: "It must be a function (rows, answers) that returns numbers by name, or a promise of them.",
  },
};

/** Numbers of the user's own metric, each under its name beside others of an evaluation. */
export interface OwnNumbers {
  /** By the name of each, its number for every row; none where the metric gives one for all. */
  readonly ownMetrics: Readonly<Record<string, readonly number[]>>;
}

export interface OwnMetricOptions {
  /** The module's file. */
  readonly path: string;
  /** Longest time of the call, in milliseconds. */
  readonly timeLimit: number;
}

/**
 * Calls a metric of the user's own, in a thread that ends with the call: nothing goes from one evaluation to the next.
 * @throws UserError (`metric-failed`) where the function throws, takes longer than it may, or returns something else than
 *   finite numbers by name
 */
export async function measureOwn(
  rows: readonly MetricRow[],
  answers: readonly MetricAnswer[],
  { path, timeLimit }: OwnMetricOptions,
): Promise<OwnNumbers> {
  const { value, create } = metrics.own;
  const { call, close } = moduleThread({ path, value, create, options: {} });
  try {
    const called = await call([rows, answers], timeLimit);
    if ("failed" in called) throw metricFailed(path, called.failed);
    return checkedNumbers(called.value, rows.length, path);
  } finally {
    await close();
  }
}

const most = 20;
const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;

/** Names that evaluations and results have for numbers of their own. */
const taken = new Set([
  ...["step", "steps", "rows", "name", "method", "model", "cache", "seconds", "time", "answers", "ownMetrics"],
  ...["loss", "lossBefore", "perplexity", "perplexityBefore", "tokens", "tokensPerSecond", "samples", "constructor"],
  ...["referenceProbability", "referenceProbabilityBefore", "exactMatch", "exactMatchBefore", "greedy", "sampled"],
  ...["sampledError", "passAt1", "passAt1Before", "passAt1Error", "preferred", "margin", "accuracy", "learnt"],
  ...["klToInitial", "klToReference", "responses", "objective", "stoppedAt", "savedStep", "divergence", "prototype"],
  ...["keep", "kept", "keptKey", "keptOthers", "evicted", "evictedByHead", "bytes", "softLoss", "softHardGap"],
  ...["hardLoss", "hardReferenceProbability", "correct", "nll", "sampledCorrect", "row", "hasOwnProperty", "toString"],
]);

/** Whether a metric may call a number so. */
export function isMetricName(name: string): boolean {
  return namePattern.test(name) && !taken.has(name) && !/^row[A-Z]/.test(name);
}

function checkedNumbers(value: unknown, rows: number, path: string): OwnNumbers {
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw metricFailed(path, `returned ${shown(value)}, not numbers by name`);
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > most) throw metricFailed(path, `returned ${entries.length} numbers; ${most} is the most`);
  const numbers: Record<string, number> = {};
  const ownMetrics: Record<string, readonly number[]> = {};
  for (const [name, given] of entries) {
    if (!isMetricName(name))
      throw metricFailed(
        path,
        `calls a number ${JSON.stringify(name.slice(0, 80))}: evaluations use that name, or it is none of letters, digits, - and _`,
      );
    const list = Array.isArray(given) ? (given as unknown[]) : undefined;
    if (list && list.length !== rows)
      throw metricFailed(path, `returned ${list.length} numbers for ${name}, and there are ${rows} rows`);
    const wrong = (list ?? [given]).findIndex((each) => !Number.isFinite(each));
    if (wrong >= 0) {
      const place = list ? `${name}[${wrong}]` : name;
      throw metricFailed(
        path,
        `returned ${shown(list ? list[wrong] : given)} for ${place}, which is not a finite number`,
      );
    }
    const values = (list ?? []) as number[];
    numbers[name] = list ? values.reduce((sum, each) => sum + each, 0) / rows : (given as number);
    ownMetrics[name] = values;
  }
  return { ...numbers, ownMetrics };
}

function metricFailed(path: string, failed: string): UserError {
  return new UserError("metric-failed", `The metric ${methodLabel(path)} ${failed}.`, {
    where: path,
    fix: "Mend the file, then continue with --resume --allow-changes.",
  });
}

function shown(value: unknown): string {
  if (typeof value === "number" || value === null) return String(value);
  if (Array.isArray(value)) return "a list";
  return typeof value === "string" ? JSON.stringify(value).slice(0, 80) : typeof value;
}
