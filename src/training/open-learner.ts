import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { Interrupted } from "../system/interrupted.ts";
import { checkpointPath, checkpointSteps, restoreCheckpoint, saveCheckpoint, type Identity } from "./checkpoint.ts";
import { createLearner, type Learner, type LearnerOptions } from "./learner.ts";
import type { RunFolder } from "./run-folder.ts";
import { advance, type TrainingState } from "./state.ts";

/** Told to the person at the keyboard. */
export interface LearnerReporter {
  /** A sentence worth keeping. */
  note(sentence: string): void;
  /** A finished step out of `total`. */
  step(record: { step: number; loss: number; keptShare: number }, total: number, tokensPerSecond: number): void;
}

/** What the numbers of a step stand in. */
export type Metrics = Readonly<Record<string, unknown>> & { readonly loss: number };

/** What a training in a run folder is made of. */
export interface RunLearnerOptions extends Omit<LearnerOptions, "optimizer"> {
  /** Fresh; a checkpoint is put into it. */
  state: TrainingState;
  /** The run's last step. */
  steps: number;
  /** What a step is called. Default `step`. */
  unit?: "step" | "iteration";
  /** In messages, of a training within another run. */
  name?: string;
  run: RunFolder;
  /** What a continued run must share with the one that saved. */
  identity: Identity;
  /** Steps between checkpoints, the last one included; 0 saves none but on request. */
  saveEvery: number;
  keepCheckpoints: number;
  /** Steps between evaluations; 0: at the start and the end alone. Default 0. */
  evaluateEvery?: number;
  /**
   * Measures the model as it is, for the evaluation log; undefined writes nothing.
   * @param repeatable whether it may end with `Interrupted`, as it can be done again from a checkpoint
   */
  evaluate?(repeatable: boolean): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Looks at every record; what it says is noted, and kept as a warning of the run. */
  watch?(record: Readonly<Record<string, unknown>>): readonly string[];
  /** Whether the training ends with the step of this record, before its last one. */
  enough?(record: Readonly<Record<string, unknown>>): boolean;
  reporter: LearnerReporter;
  /** Whether the person has asked to stop after the step under way. */
  interrupted(): boolean;
  /** Continue from the run folder's newest checkpoint, if it has one. */
  resume: boolean;
  /** Continue under another identity, no longer bit for bit. */
  allowChanges: boolean;
}

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
  /** Saves a checkpoint, and ends with `Interrupted`. */
  stop(): Promise<never>;
  /**
   * Evaluates the last state unless that was done. Returns seconds of all steps, the run's warnings, and whether it had
   * enough before its last step.
   */
  finish(): Promise<{ seconds: number; warnings: readonly string[]; endedEarly: boolean }>;
  /** Frees the optimizer. */
  dispose(): void;
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
  const continued = await restored(options);
  const warnings = run.metrics.records().flatMap((record) => options.watch?.(record) ?? []);
  let enough = run.metrics.records().some((record) => options.enough?.(record) === true);
  let seconds = run.timing.records().reduce((sum, { seconds }) => sum + Number(seconds), 0);

  const evaluate = async (): Promise<void> => {
    const repeatable = state.step === 0 || checkpointSteps(run.checkpoints).includes(state.step);
    const found = await options.evaluate?.(repeatable);
    if (found !== undefined) run.evaluation.append({ step: state.step, ...found });
  };
  const save = async (): Promise<void> => {
    run.sync();
    await saveCheckpoint(run.checkpoints, state, { identity, keep: options.keepCheckpoints });
  };
  const stopped = (): Interrupted =>
    new Interrupted(`Stopped after ${unit} ${state.step} of ${steps}${of}; the state is saved.`);

  if (!continued) await evaluate();
  let before = performance.now();
  return {
    ...createLearner(trainee, { ...options, optimizer: state.optimizer }),
    state,
    total: steps,
    *steps() {
      while (state.step < steps && !enough) {
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
      await advance(state, { rows, trained });
      const metrics = typeof given === "function" ? given() : given;
      const record = { step: state.step, ...metrics };
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
      warnings.push(...news);
      news.forEach(reporter.note);
      reporter.step({ step: state.step, loss: metrics.loss, keptShare }, steps, Object.values(pace)[0] ?? 0);
      enough ||= options.enough?.(record) === true;
      const last = state.step === steps || enough;
      const due = (every: number): boolean => every > 0 && state.step % every === 0;
      if (due(evaluateEvery) && !last) await evaluate();
      if (due(options.saveEvery) || (options.saveEvery > 0 && last) || interrupted()) await save();
      if (interrupted()) throw stopped();
      before = performance.now();
    },
    async stop() {
      await save();
      throw stopped();
    },
    async finish() {
      const evaluated = run.evaluation.records().some(({ step }) => step === state.step); // by a process that ended after it
      if (!evaluated) await evaluate();
      return { seconds, warnings, endedEarly: enough && state.step < steps };
    },
    dispose: state.optimizer.dispose,
  };
}

/** Whether a checkpoint was put into the state; the logs are cut to it. */
async function restored(options: RunLearnerOptions): Promise<boolean> {
  const { state, run, identity, resume, allowChanges, reporter, unit = "step" } = options;
  const prefix = options.name === undefined ? "" : `${options.name}: `;
  const note = (sentence: string): void =>
    reporter.note(`${prefix}${prefix === "" ? sentence : sentence[0]!.toLowerCase() + sentence.slice(1)}`);
  const step = resume ? checkpointSteps(run.checkpoints).at(-1) : undefined;
  if (step === undefined) {
    if (resume && prefix === "") note(`There is no checkpoint yet: starting from ${unit} 1.`);
    run.continueFrom(-1);
    return false;
  }
  const path = checkpointPath(run.checkpoints, step);
  for (const difference of await restoreCheckpoint(path, state, { identity, allowChanges }))
    reporter.note(`Continued although ${difference}.`);
  run.continueFrom(step);
  note(`Continuing after ${unit} ${step}.`);
  return true;
}
