import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { Interrupted } from "../system/interrupted.ts";
import { type BestBy, checkpointScores, earlyStop, requireMeasured, type Stopped, stopText, takeBest } from "./best.ts";
import { checkpointSteps } from "./checkpoint-files.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { continueRun } from "./continue-run.ts";
import { type DivergenceGuard, divergenceGuard } from "./divergence-guard.ts";
import { divergenceNotes, saying } from "./divergence.ts";
import { type EvaluationPart, lastOfEachStep } from "./evaluation-lines.ts";
import { createLearner, type Learner } from "./learner.ts";
import { pruneCheckpoints } from "./retention.ts";
import type { RunLearnerOptions } from "./run-learner-options.ts";
import { advance, type TrainingState } from "./state.ts";

/** What the numbers of a step stand in. */
export type Metrics = Readonly<Record<string, unknown>> & { readonly loss: number };

/** A learner that writes its run folder. */
export interface RunLearner extends Learner {
  readonly state: TrainingState;
  /** The run's last step. */
  readonly total: number;
  /** Steps that are left; each is the number of those done before it. */
  steps(): Generator<number, void, undefined>;
  /**
   * Ends a step: counts it, writes its record and how long it took, evaluates and saves when that is due.
   * @param metrics numbers that a rerun reproduces
   * @throws Interrupted where the person has asked to stop; the state is saved then
   */
  record(metrics: Metrics | (() => Metrics), about: StepFacts): Promise<void>;
  /** Saves a checkpoint, and ends with what stopped the work; `Interrupted` where nothing is given. */
  stop(reason?: Error): Promise<never>;
  /** For work of a step beside this learner's own: what to do about numbers that are not finite. */
  readonly guard: Pick<DivergenceGuard, "gradient" | "broken">;
  /** Evaluates the last state unless that was done, and makes the best checkpoint's the state where that is asked for. */
  finish(): Promise<TrainingEnd>;
  /** Frees the optimizer. */
  dispose(): void;
}

/** What a training came to. */
export interface TrainingEnd {
  /** Of all steps. */
  readonly seconds: number;
  readonly warnings: readonly string[];
  /** Whether it had enough before its last step. */
  readonly endedEarly: boolean;
  /** Steps done, and tokens trained in them; of a state that became the best checkpoint's more than it says itself. */
  readonly steps: number;
  readonly trainedTokens: number;
  /** The step after which early stopping ended it, and why, as a sentence without its subject. */
  readonly stoppedAt?: number;
  readonly stopped?: string;
  /** Where the state became that of the best checkpoint: its step. */
  readonly savedStep?: number;
}

/** What a step's record does not hold by itself. */
export interface StepFacts {
  /** Rows trained. */
  rows: number;
  /** Tokens with a weight. */
  trained: number;
  /** Tokens computed, for the speed. */
  tokens?: number;
  /** Speeds by name, of tokens per second, for the log of times; the first is shown where `tokens` is not given. */
  timing?: Readonly<Record<string, number>>;
  /** For the progress line. Default 1. */
  keptShare?: number;
}

/**
 * Readies a training in a run folder: restores its newest checkpoint if it is to be continued and has one; else begins
 * with an evaluation.
 *
 * @throws UserError for a damaged checkpoint, or one saved under another identity
 */
export async function openLearner(
  trainee: Parameters<typeof createLearner>[0],
  options: RunLearnerOptions,
): Promise<RunLearner> {
  const { state, steps, run, identity, reporter, interrupted, unit = "step", evaluateEvery = 0 } = options;
  const of = options.name === undefined ? "" : ` of ${options.name}`;
  const continued = await continueRun(options);
  const earlier = run.metrics.records();
  const warnings = earlier.flatMap((record) => options.watch?.(record) ?? []).map(saying);
  let enough = earlier.some((record) => options.enough?.(record) === true);
  let seconds = run.timing.records().reduce((sum, { seconds }) => sum + Number(seconds), 0);

  const { earlyStopping, saveBest: holdBest = false, best: by = usualBest, onTheWay = "all" } = options;
  const evaluations = () => lastOfEachStep(run.evaluation.records());
  const stopping = (): Stopped | undefined => earlyStopping && earlyStop(evaluations(), earlyStopping);
  let stopped = stopping();
  const over = (): boolean => enough || stopped !== undefined;

  const evaluate = async (part: EvaluationPart): Promise<void> => {
    const repeatable = state.step === 0 || checkpointSteps(run.checkpoints).includes(state.step);
    const found = await options.evaluate?.(repeatable, part).catch(savedFirst);
    if (found === undefined) return;
    requireMeasured(found, [earlyStopping, (options.keepBest ?? 0) > 0 ? by : undefined]);
    run.evaluation.append({ step: state.step, ...(part !== "all" && { measured: part }), ...found });
    stopped = stopping();
    await reporter.evaluated?.();
  };
  /** A metric of the user's own that fails ends the work under way; the state is saved, to go on when it is mended. */
  const savedFirst = async (error: unknown): Promise<never> => {
    const saved = state.step === 0 || checkpointSteps(run.checkpoints).includes(state.step);
    if (!saved && error instanceof UserError && error.code === "metric-failed") await save();
    throw error;
  };
  const evaluated = () => evaluations().find(({ step }) => step === state.step);
  const prune = (): void => {
    const { keepCheckpoints: last, keepBest: best = 0, checkpointBudget: budget = Infinity } = options;
    const scoreOf = best > 0 ? checkpointScores(options, by) : undefined;
    pruneCheckpoints(run.checkpoints, { last, best, budget, holdBest }, scoreOf);
  };
  const save = async (): Promise<void> => {
    run.sync();
    await writeCheckpoint(run.checkpoints, state, { identity, records: run.records.digests() });
    prune();
  };
  const interruption = (): Interrupted =>
    new Interrupted(`Stopped after ${unit} ${state.step} of ${steps}${of}; the state is saved.`);

  const due = (every: number): boolean => every > 0 && state.step % every === 0;
  if (continued) prune(); // a process that was killed may have saved and not yet pruned
  if (!continued) await evaluate("all");
  else if (due(evaluateEvery) && state.step < steps && !over() && !evaluated()) await evaluate(onTheWay);
  if (!continued && options.onDivergence === "rollback") await save(); // to go back to, before there is another
  const guard = divergenceGuard(options, save, skippedLately(earlier));
  const learner = createLearner(trainee, { ...options, optimizer: state.optimizer, onNotFinite: guard.gradient });
  let before = performance.now();
  return {
    ...learner,
    ...{ state, guard },
    startStep(step) {
      guard.startStep();
      learner.startStep(step);
    },
    forward: (batch, own) => guard.watched(learner.forward(batch, own), batch),
    update: () => guard.update(learner),
    read: (batch, own) => guard.watched(learner.read(batch, own), batch),
    total: steps,
    *steps() {
      while (state.step < steps && !over()) {
        const step = state.step;
        yield step;
        if (state.step === step)
          throw new UserError("run-unfinished", `${unit} ${step + 1} was not recorded`, {
            fix: "Call `record` at the end of every step of the loop.",
          });
      }
    },
    async record(given, { rows, trained, tokens, timing, keptShare = 1 }) {
      await letEventsIn();
      const skippedUpdates = guard.endStep();
      await advance(state, { rows, trained: skippedUpdates > 0 ? 0 : trained });
      const metrics = typeof given === "function" ? given() : given;
      const record = { step: state.step, ...metrics, ...(skippedUpdates > 0 && { skippedUpdates }) };
      const spent = (performance.now() - before) / 1000;
      const pace = { ...(tokens !== undefined && { tokensPerSecond: tokens / spent }), ...timing };
      seconds += spent;
      run.metrics.append(record);
      run.timing.append({
        step: state.step,
        seconds: spent,
        ...pace,
        memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
        time: new Date().toISOString(),
      });
      const news = options.watch?.(record) ?? [];
      for (const warning of news) if (typeof warning !== "string") await guard.recorded(warning);
      warnings.push(...news.map(saying));
      for (const warning of news) reporter.note(saying(warning));
      reporter.step({ step: state.step, loss: metrics.loss, keptShare }, steps, Object.values(pace)[0] ?? 0);
      enough ||= options.enough?.(record) === true;
      const isLast = (): boolean => state.step === steps || over();
      if (due(evaluateEvery) && !isLast()) await evaluate(onTheWay);
      if (due(options.saveEvery) || (options.saveEvery > 0 && isLast()) || interrupted()) await save();
      if (interrupted()) throw interruption();
      before = performance.now();
    },
    async stop(reason = interruption()) {
      await save();
      throw reason;
    },
    async finish() {
      // a process may have ended after it; where another model may be saved, that one's answers are wanted alone
      if (!evaluated()) await evaluate(holdBest ? onTheWay : "all");
      const { step, trainedTokens } = state;
      const early = stopped !== undefined && step < steps ? stopped : undefined;
      const text = early && stopText(early, earlyStopping!, unit);
      if (text !== undefined) reporter.note(`The training${of} ${text}`);
      const savedStep = holdBest ? await takeBest({ ...options, best: by }) : undefined;
      if (savedStep !== undefined && savedStep < step) reporter.note(`The model is that of ${unit} ${savedStep}.`);
      if (evaluated()?.["measured"] !== undefined) await evaluate("all");
      return {
        ...{ seconds, warnings: [...divergenceNotes(run), ...warnings], endedEarly: over() && step < steps },
        ...{ steps: step, trainedTokens },
        ...(early && { stoppedAt: early.step, stopped: text! }),
        ...(savedStep !== undefined && { savedStep }),
      };
    },
    dispose: state.optimizer.dispose,
  };
}

const usualBest: BestBy = { metric: "loss", mode: "min" };

/** Updates left out in the last steps, one after the other. */
function skippedLately(records: readonly Readonly<Record<string, unknown>>[]): number {
  const last = records.findLastIndex(({ skippedUpdates }) => skippedUpdates === undefined);
  return records.slice(last + 1).reduce((sum, { skippedUpdates }) => sum + Number(skippedUpdates), 0);
}
