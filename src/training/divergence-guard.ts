import type { Forward, SignalGradient, TokenBatch } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { remove } from "../system/files-in-use.ts";
import { checkCheckpoint, checkpointPath, checkpointSteps, type CheckedCheckpoint } from "./checkpoint-files.ts";
import { restoreChecked, writeCheckpoint } from "./checkpoint.ts";
import { batchText, type Divergence, RolledBack, writeDivergence } from "./divergence.ts";
import type { Learner, StepUpdate } from "./learner.ts";
import type { RunLearnerOptions } from "./run-learner-options.ts";
import { type BadSignal, gradientText, type NotFiniteGradient } from "./update.ts";

/** Updates in a row without a finite gradient, after which it is the weights that are broken. */
const mostSkips = 5;

/** Watches a training for numbers that are not finite, and does what the configuration says where it diverges. */
export interface DivergenceGuard {
  /** A step begins: the passes that follow are its own. */
  startStep(): void;
  /** A pass whose log-probabilities are looked at as they are read, and the gradient that is handed back. */
  watched(pass: Forward, batch: TokenBatch): Forward;
  /** Updates, unless the gradient that was handed back was not finite. */
  update(learner: Learner): Promise<StepUpdate>;
  /** Told of an update that cannot be made; returns where it is to be left out. */
  gradient(found: NotFiniteGradient, of?: string): Promise<void>;
  /** Told of what the record of the last step shows; returns where the training goes on. */
  recorded(divergence: Divergence): Promise<void>;
  /** Ends the step under way, from which nothing can go on. */
  broken(what: string, found?: object): Promise<never>;
  /** Updates left out in the step that ends. */
  endStep(): number;
}

type Options = Pick<
  RunLearnerOptions,
  "run" | "state" | "identity" | "unit" | "onDivergence" | "alsoTrained" | "reporter"
>;

/** A divergence with the step under way, and what is to be kept of it. */
interface Found extends Divergence {
  readonly step: number;
  readonly details?: object | undefined;
  /** What to do about it, where it is not the usual. */
  readonly fix?: string;
}

/**
 * @param save saves a checkpoint of the state as it is
 * @param skippedBefore updates left out one after the other up to now
 */
export function divergenceGuard(options: Options, save: () => Promise<void>, skippedBefore: number): DivergenceGuard {
  const { run, state, unit = "step", onDivergence = "warn", reporter } = options;
  const optimizers = [state.optimizer, ...(options.alsoTrained ?? [])];
  const updates = (): number => optimizers.reduce((sum, optimizer) => sum + optimizer.updates, 0);
  const isFirst = (): boolean => (state.optimizer.learningRateScale ?? 1) === 1;
  const batches = new Set<TokenBatch>();
  let [inRow, skipped, updatesBefore] = [skippedBefore, 0, updates()];
  let refused: BadSignal | undefined;

  const dump = (action: "skip" | "stop" | "rollback", { details, fix: _, ...found }: Found, to?: number): void =>
    writeDivergence(run, {
      ...{ ...found, action },
      ...(to !== undefined && { to }),
      ...(details && { found: details }),
      batches: [...batches].map((batch) => batchText(batch, (ids) => state.model.tokenizer.decode(ids))),
    });

  const end = async (found: Found): Promise<never> => {
    const before = onDivergence === "rollback" && isFirst() ? await lastBefore(options, found.since - 1) : undefined;
    if (before === undefined) {
      dump("stop", found);
      const again = onDivergence === "rollback" && !isFirst() ? "The run has gone back once already. " : "";
      throw new UserError("diverged", found.said, {
        where: run.path,
        fix: again + (found.fix ?? mend(options, found)),
      });
    }
    const to = before.saved.step;
    const said = `${found.said} The run went back to ${unit} ${to}, and goes on with half the learning rate.`;
    dump("rollback", { ...found, said }, to);
    await goBack(options, before);
    throw new RolledBack(said);
  };
  const broken = (said: string, details?: object): Promise<never> => {
    const step = state.step + 1;
    return end({ said, step, since: step, details });
  };

  const onGradient = async (details: NotFiniteGradient, of = "the gradient"): Promise<void> => {
    const step = state.step + 1;
    const said = `At ${unit} ${step} ${of} is ${gradientText(details)}.`;
    const found = { said, step, since: step, details };
    inRow++;
    if (onDivergence === "warn" && inRow < mostSkips) {
      const left = { ...found, said: `${said} Its update was left out.` };
      dump("skip", left);
      reporter.note(left.said);
      skipped++;
      return;
    }
    if (onDivergence === "warn")
      await end({ ...found, said: `${said} So were ${mostSkips} in a row: the weights are broken.` });
    if (onDivergence === "rollback" || updates() !== updatesBefore) await end(found);
    await save(); // nothing has been updated by it
    const fix = `The state before it is saved: --resume --set training.onDivergence=warn leaves this update out.`;
    await end({ ...found, fix });
  };

  return {
    startStep() {
      batches.clear();
      refused = undefined;
    },
    watched: (pass, batch) => {
      batches.add(batch);
      return {
        async read(names) {
          const read = await pass.read(names);
          const bad = firstBad((read as { logProb?: Float32Array }).logProb);
          if (bad === undefined) return read;
          const { row, token, loss } = lossAt(batch, bad);
          const what = `At ${unit} ${state.step + 1} the loss is ${loss} (row ${row}, token ${token})`;
          return broken(`${what}: the weights have left the range of numbers.`, { row, token, loss });
        },
        backward(gradient) {
          refused ??= firstBadOf(gradient, batch);
          if (refused === undefined) pass.backward(gradient);
        },
        [Symbol.dispose]: () => pass[Symbol.dispose](),
      };
    },
    async update(learner) {
      if (refused === undefined) return learner.update();
      const { optimizer } = learner;
      await onGradient({ norm: NaN, signal: refused });
      const update = { ...learner.skip(), gradNorm: NaN };
      optimizer.skipped = (optimizer.skipped ?? 0) + 1;
      return update;
    },
    gradient: onGradient,
    async recorded(divergence) {
      if (onDivergence !== "warn") await end({ ...divergence, step: state.step });
    },
    broken,
    endStep() {
      const left = skipped;
      if (left === 0 && updates() !== updatesBefore) inRow = 0;
      [skipped, updatesBefore] = [0, updates()];
      return left;
    },
  };
}

function firstBad(logProb: Float32Array | undefined): { place: number; value: number } | undefined {
  const place = logProb?.findIndex((value) => !Number.isFinite(value)) ?? -1;
  return place < 0 ? undefined : { place, value: logProb![place]! };
}

/** The first number of a gradient that is not finite, where it is one per token. */
function firstBadOf(gradient: SignalGradient, { rowIds, width, rows }: TokenBatch): BadSignal | undefined {
  for (const [name, values] of Object.entries(gradient).flatMap(([name, of]) =>
    [of].flat().map((each) => [name, each] as const),
  )) {
    const place = values.findIndex((value) => !Number.isFinite(value));
    if (place < 0) continue;
    const at = Math.floor((place * rows * width) / values.length); // of gates there are several per token
    return { name, row: rowIds[Math.floor(at / width)]!, token: at % width, value: values[place]! };
  }
  return undefined;
}

function lossAt(
  { rowIds, width }: TokenBatch,
  { place, value }: { place: number; value: number },
): { row: number; token: number; loss: number } {
  return { row: rowIds[Math.floor(place / width)]!, token: place % width, loss: -value };
}

/** The newest sound checkpoint of weights from before a step's; undefined where none is left. */
async function lastBefore({ run }: Options, step: number): Promise<CheckedCheckpoint | undefined> {
  for (const each of checkpointSteps(run.checkpoints)
    .filter((each) => each < step)
    .reverse()) {
    try {
      return await checkCheckpoint(checkpointPath(run.checkpoints, each));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  return undefined;
}

/** Makes a checkpoint the newest one, with half the learning rate. */
async function goBack({ run, state, identity, alsoTrained = [] }: Options, before: CheckedCheckpoint): Promise<void> {
  const { saved, manifest } = before;
  for (const later of checkpointSteps(run.checkpoints)
    .filter((step) => step > saved.step)
    .reverse())
    remove(checkpointPath(run.checkpoints, later));
  await restoreChecked(before, state, { identity, allowChanges: true });
  for (const optimizer of [state.optimizer, ...alsoTrained])
    optimizer.learningRateScale = (optimizer.learningRateScale ?? 1) / 2;
  await writeCheckpoint(run.checkpoints, state, { identity, records: manifest?.records ?? {} });
}

/** What a person may do about a training that has ended. */
function mend({ run, unit = "step" }: Options, { since }: Divergence): string {
  if (since <= 1) return "That is the model to start from: look at its weights, and at the rows of this step.";
  const steps = checkpointSteps(run.checkpoints);
  const before = steps.findLast((step) => step < since - 1);
  const lower = "lower the learning rate or lengthen the warm-up";
  if (before === undefined) return `Start again with --overwrite, and ${lower}.`;
  const later = steps.filter((step) => step > before);
  const clear = later.length > 0 ? `delete checkpoints/step-${later.join(", step-")}; ` : "";
  return `To go on from ${unit} ${before}: ${clear}${lower}, and give --resume --allow-changes.`;
}
