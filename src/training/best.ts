import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";
import { checkCheckpoint, checkpointPath, checkpointSteps } from "./checkpoint-files.ts";
import { restoreChecked } from "./checkpoint.ts";
import type { RunLearnerOptions } from "./run-learner-options.ts";

type Line = Readonly<Record<string, unknown>>;

/** A number of an evaluation, and what of it is better: less or more. */
export interface BestBy {
  readonly metric: string;
  readonly mode: "min" | "max";
}

/** Ends a training once a number of its evaluations no longer improves. */
export interface EarlyStopping extends BestBy {
  /** So many evaluations in a row without an improvement end it. */
  readonly patience: number;
  /** A change of at most so much is no improvement. */
  readonly minDelta: number;
}

/** Why a training was stopped early. */
export interface Stopped {
  /** Steps done. */
  readonly step: number;
  /** The best value that was measured, and after which step; undefined where none was a finite number. */
  readonly best: { readonly value: number; readonly step: number } | undefined;
}

/**
 * Whether the evaluations so far end the training. The one before the first step does not count; a value that is no finite
 * number is no improvement.
 * @param evaluations lines of the evaluation log, in their order
 */
export function earlyStop(
  evaluations: readonly Line[],
  { metric, mode, patience, minDelta }: EarlyStopping,
): Stopped | undefined {
  let best: Stopped["best"];
  let without = 0;
  for (const { step: at, [metric]: value } of evaluations) {
    const step = Number(at);
    if (step === 0) continue;
    const finite = typeof value === "number" && Number.isFinite(value);
    const gain = !finite ? 0 : best === undefined ? Infinity : mode === "min" ? best.value - value : value - best.value;
    if (gain > minDelta) [best, without] = [{ value: value as number, step }, 0];
    else without++;
    if (without >= patience) return { step, best };
  }
  return undefined;
}

/** That it was stopped, and why, as a sentence without its subject. */
export function stopText({ step, best }: Stopped, { metric, patience }: EarlyStopping, unit = "step"): string {
  const since = best === undefined ? "" : ` since that of ${unit} ${best.step} (${Number(best.value.toPrecision(6))})`;
  return `was stopped early after ${unit} ${step}: ${metric} has not improved in ${patience} evaluation${patience === 1 ? "" : "s"}${since}.`;
}

/** Throws a UserError for an evaluation that does not have a number that decides something. */
export function requireMeasured(evaluation: Line, wanted: readonly (BestBy | undefined)[]): void {
  for (const each of wanted) {
    if (each === undefined || typeof evaluation[each.metric] === "number") continue;
    const known = Object.keys(evaluation).filter((key) => typeof evaluation[key] === "number" && key !== "step");
    const near = nearest(each.metric, known);
    throw new UserError("unknown-metric", `the evaluations do not have ${JSON.stringify(each.metric)}`, {
      fix: `They have ${known.join(", ")}.${near === undefined ? "" : ` Did you mean ${near}?`}`,
    });
  }
}

/** How good the model of a step was found to be, larger is better. */
export function scoresOf(evaluations: readonly Line[], { metric, mode }: BestBy): (step: number) => number | undefined {
  const sign = mode === "min" ? -1 : 1;
  const scores = new Map(
    evaluations.flatMap(({ step, [metric]: value }) => (typeof value === "number" ? [[step, sign * value]] : [])),
  );
  return (step) => scores.get(step);
}

/**
 * The same of a run's regular checkpoints alone: one that was saved as somebody stopped the run must not decide what an
 * uninterrupted run would not have.
 */
export function checkpointScores(
  { run, saveEvery }: Pick<RunLearnerOptions, "run" | "saveEvery">,
  by: BestBy,
): (step: number) => number | undefined {
  const scoreOf = scoresOf(run.evaluation.records(), by);
  return (step) => (step > 0 && step % saveEvery === 0 ? scoreOf(step) : undefined);
}

/**
 * Puts the best checkpoint that is sound into the state; of equally good ones the later. The state itself is the last one.
 * @returns its step; that of the state as it was where no checkpoint is better
 */
export async function takeBest(options: RunLearnerOptions & { best: BestBy }): Promise<number> {
  const { run, state, identity, reporter, best } = options;
  const scoreOf = checkpointScores(options, best);
  const last = { step: state.step, score: scoresOf(run.evaluation.records(), best)(state.step) };
  const earlier = checkpointSteps(run.checkpoints).filter((step) => step < last.step);
  const ranked = [last, ...earlier.map((step) => ({ step, score: scoreOf(step) }))]
    .flatMap(({ step, score }) => (score !== undefined && Number.isFinite(score) ? [{ step, score }] : []))
    .sort((a, b) => b.score - a.score || b.step - a.step);
  for (const { step } of ranked) {
    if (step === state.step) break;
    try {
      const checked = await checkCheckpoint(checkpointPath(run.checkpoints, step));
      await restoreChecked(checked, state, { identity, allowChanges: true });
      break;
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "damaged-checkpoint") throw error;
      reporter.note(`${error.message.split("\n")[0]!} The next best is taken.`);
    }
  }
  return state.step;
}
