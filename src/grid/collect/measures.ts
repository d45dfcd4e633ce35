import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { mean } from "../../evaluation/mean.ts";
import {
  evaluationLines,
  type JsonObject,
  numberOf,
  numbersOf,
  ownMetricsOf,
  rowProbabilitiesOf,
  runLines,
  runObject,
  savedLine,
  textOf,
} from "../../report/run-files.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { configIn, resultsIn } from "../cell-state.ts";

/** Numbers of single held-out problems. */
export interface ProblemNumbers {
  readonly rowIds: readonly number[];
  readonly values: readonly number[];
  /** What each counts in a mean; absent where all count the same. */
  readonly weights?: readonly number[];
  /** Each value is 0 or 1. */
  readonly binary: boolean;
  /** Names the held-out data whose rows they are, where the configuration is there to say; others have other problems. */
  readonly heldOut?: string;
}

/** A number that a run came to, with those of single problems where the run recorded them. */
export interface Measure {
  readonly value: number;
  readonly problems?: ProblemNumbers;
  /** Of the user's own metric. */
  readonly own?: true;
}

/** Every number of a run, by the name that a grid gives it. */
export type Measures = ReadonlyMap<string, Measure>;

/** What every table says of a cell beside its metrics. */
export interface Cost {
  readonly trainedTokens: number;
  readonly keptShare: number;
  readonly seconds: number;
  readonly memoryMB: number;
}

/**
 * Reads what a complete run has measured: columns of `results.json` by their keys (of another row as `KEY@ROW`),
 * `evaluation.KEY` of the last evaluation (or that of the saved model), `noise.recall` and `noise.precision`, `train.KEY` and `last.KEY` of the log.
 * @param startRow the name of the row of the model before training
 * @throws UserError for a log that is damaged, or has not the evaluation that the results tell of
 */
export function measuresOf(folder: string, startRow?: string): { measures: Measures; cost: Cost } {
  const rows = resultsIn(folder) ?? [];
  const main = rows.find(({ name }) => startRow === undefined || name !== startRow);
  const own = join(folder, textOf(main?.["name"]) ?? "");
  const arm = existsSync(join(own, "metrics.jsonl")) ? own : folder; // a recipe may train every arm in a folder of its own
  const steps = runLines(arm, "metrics.jsonl");
  const summary = runObject(arm, "summary.json") ?? {};
  const evaluation = savedEvaluation(arm, {
    main: arm === folder ? main : undefined, // such results are of evaluations of their own
    ...{ lastStep: steps.at(-1), savedStep: summary["savedStep"] },
  });
  const found = new Map<string, Measure>();
  const heldOut = heldOutOf(folder) ?? heldOutOf(dirname(folder));
  const add = (name: string, { problems, ...measure }: Measure): void => {
    if (!Number.isFinite(measure.value) || found.has(name)) return;
    found.set(name, { ...measure, ...(problems && { problems: { ...problems, ...(heldOut && { heldOut }) } }) });
  };
  for (const row of main === undefined ? rows : [main, ...rows]) {
    const lists = row === main ? { ...evaluation, ...row } : row;
    const labels = row === main ? [""] : labelsOf(row);
    for (const key of numericKeys(row)) for (const label of labels) add(key + label, measureOf(key, lists, arm));
  }
  for (const key of numericKeys(evaluation ?? {})) add(`evaluation.${key}`, measureOf(key, evaluation!, arm));
  addNoise(summary["noise"], add);
  for (const key of new Set(steps.flatMap(numericKeys))) {
    const values = steps.map((step) => numberOf(step[key])).filter(Number.isFinite);
    add(`train.${key}`, { value: mean(values) });
    add(`last.${key}`, { value: values.at(-1) ?? NaN });
  }
  return { measures: found, cost: costOf(arm, { main, summary, steps }) };
}

/** The held-out data of a run folder's configuration. */
function heldOutOf(folder: string): string | undefined {
  const data = configIn(folder)?.["data"];
  return isRecord(data) ? JSON.stringify(data["validation"]) : undefined;
}

/** Numbers that a row of results has from the last evaluation. */
const fromEvaluation = ["loss", "exactMatch"];

/**
 * The evaluation of an arm's saved model, where there is one: that of the last step or of `savedStep`, with the numbers of the
 * results.
 */
function savedEvaluation(
  folder: string,
  { main, lastStep, savedStep }: { main: JsonObject | undefined; lastStep: JsonObject | undefined; savedStep: unknown },
): JsonObject | undefined {
  if (!existsSync(join(folder, "evaluation.jsonl"))) return undefined;
  const evaluations = evaluationLines(folder);
  const evaluation = savedLine(evaluations, savedStep);
  if (main === undefined) return evaluation;
  const refuse = (what: string): never => {
    throw new UserError("damaged-log", what, {
      where: join(folder, "evaluation.jsonl"),
      fix: "Put the file back from a copy, or delete the run's folder to run it anew.",
    });
  };
  const [step, last] = [evaluations.at(-1), lastStep].map((line) => numberOf(line?.["step"]));
  if (step! < last!) refuse(`ends with the evaluation of step ${step}, though the run has ${last} steps`);
  if (!(numberOf(main["steps"]) > 0)) return evaluation; // a row of the starting model, or of no training by steps
  const other = fromEvaluation.find((key) => typeof main[key] === "number" && main[key] !== evaluation?.[key]);
  if (other !== undefined)
    refuse(`has ${other} ${String(evaluation?.[other])}, where results.json says ${String(main[other])}`);
  return evaluation;
}

function labelsOf(row: JsonObject): string[] {
  const [name, model, cache] = ["name", "model", "cache"].map((key) => textOf(row[key]));
  const labels = [name, cache, model !== undefined && cache !== undefined ? `${model}/${cache}` : undefined];
  return labels.flatMap((label) => (label === undefined ? [] : [`@${label}`]));
}

function numericKeys(row: JsonObject): string[] {
  return Object.keys(row).filter((key) => typeof row[key] === "number" && key !== "step");
}

/** Lists of single problems that stand behind a number, by its key. */
function measureOf(key: string, row: JsonObject, folder: string): Measure {
  const problems = problemsOf(key, row);
  const wrong = problems?.binary ? problems.values.find((value) => value !== 0 && value !== 1) : undefined;
  if (wrong !== undefined)
    throw new UserError("damaged-log", `a single problem's ${key} is ${wrong}, neither right (1) nor wrong (0)`, {
      where: `${folder}: evaluation.jsonl or results.json`,
      fix: "Put the file back from a copy, or delete the run's folder to run it anew.",
    });
  const own = Object.hasOwn(ownMetricsOf(row), key) && { own: true as const };
  return { value: numberOf(row[key]), ...(problems && { problems }), ...own };
}

const rightAnswers = ["exactMatch", "greedy", "accuracy"];
const sampledAnswers = ["passAt1", "sampled"];

function problemsOf(key: string, row: JsonObject): ProblemNumbers | undefined {
  const list = (name: string) => numbersOf(row[name]);
  const numbered = (values: readonly number[] | undefined, more: Omit<ProblemNumbers, "rowIds" | "values">) => {
    if (values === undefined || values.length === 0) return undefined;
    const rowIds = list("rowIds");
    return { rowIds: rowIds?.length === values.length ? rowIds : values.map((_, i) => i), values, ...more };
  };
  const own = ownMetricsOf(row);
  if (Object.hasOwn(own, key)) return numbered(own[key], { binary: false });
  if (rightAnswers.includes(key)) return numbered(list("rowCorrect"), { binary: true });
  if (key === "preferred") return numbered(list("rowPreferred"), { binary: true });
  if (sampledAnswers.includes(key)) return numbered(list("rowPassRate"), { binary: false });
  const [losses, tokens] = [list("rowLosses"), list("rowTokens")];
  if (losses === undefined || tokens?.length !== losses.length) return undefined;
  if (key === "loss") return numbered(losses, { weights: tokens, binary: false });
  return key === "referenceProbability" ? numbered(rowProbabilitiesOf(row), { binary: false }) : undefined;
}

function addNoise(noise: unknown, add: (name: string, measure: Measure) => void): void {
  if (!isRecord(noise)) return;
  const [dropped, wrong, hits] = ["dropped", "noise", "hits"].map((key) => numberOf(noise[key]));
  add("noise.recall", { value: hits! / wrong! });
  add("noise.precision", { value: hits! / dropped! });
}

function costOf(
  folder: string,
  { main, summary, steps }: { main: JsonObject | undefined; summary: JsonObject; steps: readonly JsonObject[] },
): Cost {
  const timing = runLines(folder, "timing.jsonl");
  const timed = timing.map((line) => numberOf(line["seconds"]) || 0).reduce((sum, value) => sum + value, 0);
  const told = [summary["seconds"], main?.["seconds"]].map(numberOf).find(Number.isFinite);
  const trained = [summary["trainedTokens"], steps.at(-1)?.["trainedTokens"]].map(numberOf).find(Number.isFinite);
  return {
    trainedTokens: trained ?? NaN,
    keptShare: mean(steps.map((step) => numberOf(step["keptShare"])).filter(Number.isFinite)),
    seconds: told ?? (timing.length > 0 ? timed : NaN),
    memoryMB: timing.reduce((most, line) => Math.max(most, numberOf(line["memoryMB"]) || 0), 0) || NaN,
  };
}
