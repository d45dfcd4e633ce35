import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CdpoArm } from "./config-schema.ts";
import { isModulePath } from "../../config/method-choice.ts";
import { UserError } from "../../system/errors.ts";
import { isAdapted, trainableShare } from "../../model/adapters/with-adapter.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import { checkStartsAtReference } from "../../preference/reference.ts";
import type { PreferenceBatch } from "../../preference/batch.ts";
import type { PreferenceObjective } from "../../preference/objective.ts";
import { divergenceNotes, saying } from "../../training/divergence.ts";
import { isRunFolder, openRunFolder, type RunFolder } from "../../training/run-folder.ts";
import type { RunLearner, TrainingEnd } from "../../training/open-learner.ts";
import type { StepBatch, StepOutcome } from "../../training/step.ts";
import type { TrainingState } from "../../training/state.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { startOf, trainable } from "../kit/adapter.ts";
import { optional } from "../../system/optional.ts";
import { alignmentEvaluation } from "./align-evaluation.ts";
import { alignmentCard, alignmentSummary } from "./align-files.ts";
import { chosenBatch, pairBatch, referenceBatch, type PairBatch } from "./batches.ts";
import type { ScoredPair } from "./files.ts";
import { klMeasure } from "./kl.ts";
import { oddEnds } from "./pairs.ts";
import { decisive, microRows, openStageLearner, recordStep, stageWatch } from "./stage-training.ts";
import { digestOf, digestOfStart, type StageResult } from "./stages.ts";
import { release, type CdpoWork } from "./work.ts";

/** An opened alignment: one arm's model, what it learns by, and its pairs. */
export interface Alignment {
  readonly name: string;
  readonly objective: PreferenceObjective;
  /** Model, optimizer, schedule; writes the arm's folder. */
  readonly learner: RunLearner;
  /** The micro-batches of a step with what the objective reads of their tokens: of each pair its chosen row, then the other. */
  batches(step: number): StepBatch<PreferenceBatch>[];
  /**
   * Ends a step: measures the distance to the start where that is due, writes its record, saves a checkpoint when one is
   * due.
   * @throws UserError if the first loss is not that of a model that still is its reference
   */
  record(batches: readonly StepBatch<PreferenceBatch>[], outcome: StepOutcome): Promise<void>;
}

/** Takes an opened alignment to its last step. */
export type Train = (alignment: Alignment) => Promise<void>;

/** Aligns the starting model with the pairs under the arm's objective. The result is the folder of the arm. */
export async function alignStage(
  work: CdpoWork,
  arm: CdpoArm,
  scored: StageResult<ScoredPair[]>,
  train: Train,
): Promise<StageResult<string>> {
  const { config, inputs } = work;
  const { adapter, training, kl } = config.align;
  const { dtype } = config.save;
  const { name, objective, learningRate, stopAtKl } = arm;
  const { shuffle } = config.data;
  const aligned = await work.stage({
    name: `align.${name}`,
    needs: [scored],
    inputs: {
      model: inputs.identity["model"],
      ...digestOfStart(adapter),
      ...{ objective, adapter: adapter ?? null, shuffle, seed: config.training.seed },
      ...(isModulePath(objective.method) && { module: digestOf(objective.method) }),
      training: { ...decisive(training), learningRate },
      ...optional({ kl, stopAtKl }),
      ...(work.objectives.get(name)!.rows === "reference" && { data: inputs.tokens.fingerprint }),
      ...(dtype !== "as-read" && { dtype }),
      ...measuredBy(work),
    },
    output: join(name, adapter === undefined ? "model" : "adapter"),
    leftovers: [name],
    read: () => join(work.run.path, name),
    work: async (resume) => alignArm(work, arm, { pairs: await scored.load(), resume, train }),
  });
  await completeSummary(work, arm, scored);
  return aligned;
}

/** What decides which step an arm ends with, or which one's model is saved, where that is by what is measured. */
function measuredBy({ config: { align, evaluation, verifier }, inputs, held, heldPairs }: CdpoWork): object {
  const { earlyStopping, saveBest } = align.training;
  if (earlyStopping === undefined && saveBest !== true) return {};
  const { samples, temperature, maxNewTokens, metric } = evaluation;
  return {
    evaluation: {
      ...{ data: inputs.validation!.fingerprint, rows: (heldPairs ?? held).length },
      ...(heldPairs === undefined && { samples, temperature, maxNewTokens, verifier }),
      ...(metric !== undefined && { module: digestOf(metric) }),
    },
  };
}

/** Of an arm that is kept, though its summary is gone. */
async function completeSummary(work: CdpoWork, arm: CdpoArm, scored: StageResult<ScoredPair[]>): Promise<void> {
  const path = join(work.run.path, arm.name);
  if (existsSync(join(path, "summary.json"))) return;
  using run = openRunFolder(path, "resume");
  const warnings = [...divergenceNotes(run), ...run.metrics.records().flatMap(stageWatch()).map(saying)];
  writeSummary(work, arm, run, { pairs: await scored.load(), end: { warnings } });
}

interface Learnt {
  readonly pairs: readonly ScoredPair[];
  readonly end: Pick<TrainingEnd, "warnings" | "stoppedAt" | "stopped" | "savedStep">;
}

function writeSummary(work: CdpoWork, arm: CdpoArm, run: RunFolder, { pairs, end }: Learnt): void {
  const records = run.metrics.records();
  run.writeFile("summary.json", alignmentSummary(work, arm, { records, pairs: pairs.length, end }));
}

async function alignArm(
  work: CdpoWork,
  arm: CdpoArm,
  { pairs, resume, train }: { pairs: readonly ScoredPair[]; resume: boolean; train: Train },
): Promise<void> {
  const { name } = arm;
  const path = join(work.run.path, name);
  const objective = work.objectives.get(name)!;
  requireWeights(objective, pairs);
  using run = openRunFolder(path, isRunFolder(path) ? (resume ? "resume" : "overwrite") : "new");
  const disposals: (() => void)[] = [];
  try {
    const { model, reference } = await openModels(work, objective, disposals);
    noteOf(work, name, model, pairs);
    const alignment = await openAlignment(work, arm, { run, model, reference, pairs, resume, disposals });
    await train(alignment);
    const end = await alignment.learner.finish();
    await saveTrained(run, model, alignmentCard(work, arm, alignment.learner.state.step), work.config.save);
    writeSummary(work, arm, run, { pairs, end });
  } finally {
    disposals.forEach((free) => free());
  }
}

/** The model to train, on a copy of the starting model that it may change for good, and its reference where it is read. */
async function openModels(
  { config, trunk }: CdpoWork,
  objective: PreferenceObjective,
  disposals: (() => void)[],
): Promise<{ model: Model; reference: Decoder | undefined }> {
  const open = async (): Promise<Model> => {
    const copy = await trunk.take();
    disposals.push(copy.dispose);
    return copy;
  };
  const model = await trainable(await open(), config.align.adapter, config.training.seed);
  disposals.unshift(() => release(model));
  const compared = objective.reads.includes("forwardKl") || config.align.kl !== undefined;
  if (!compared) return { model, reference: undefined };
  if (!isAdapted(model)) return { model, reference: await open() };
  const start = await startOf(model.trunk as Model, config.align.adapter);
  disposals.unshift(start.release);
  return { model, reference: start.model };
}

function noteOf(work: CdpoWork, name: string, model: Model, pairs: readonly ScoredPair[]): void {
  const { note } = work.reporterOf(name);
  oddEnds(pairs, model.config.endOfText).forEach(note);
  if (isAdapted(model)) note(`${name}: ${trainableShare(model).trainable} numbers to train, ${pairs.length} pairs.`);
}

interface Opened {
  run: RunFolder;
  model: Model;
  reference: Decoder | undefined;
  pairs: readonly ScoredPair[];
  resume: boolean;
  disposals: (() => void)[];
}

async function openAlignment(
  work: CdpoWork,
  { name, learningRate, stopAtKl = Infinity }: CdpoArm,
  { pairs, disposals, reference, ...opened }: Opened,
): Promise<Alignment> {
  const { config } = work;
  const { training, kl } = config.align;
  const given = work.objectives.get(name)!;
  const measure = kl && klMeasure(config, pairs);
  const lengths = pairs.map(
    ({ chosen, rejected }) => chosen.prompt.length + Math.max(chosen.ids.length, rejected.ids.length),
  );
  const learner = await openStageLearner(work, {
    ...{ name, training, learningRate, lengths, ...opened },
    evaluate: alignmentEvaluation(work, name, opened),
    reference: given.reads.includes("forwardKl") ? reference : undefined,
    enough: ({ klToReference }) => Number(klToReference) >= stopAtKl,
  });
  disposals.unshift(learner.dispose);
  const rowsOf = microRows(config, training, lengths);
  const batchOf = (rows: readonly number[]): PairBatch => {
    if (given.rows === "reference") return referenceBatch(work.inputs.tokens, pairs, rows);
    return given.rows === "pairs" ? pairBatch(pairs, rows) : chosenBatch(pairs, rows);
  };
  return {
    ...{ name, learner },
    objective: startingAtReference(given, learner.state),
    batches: (step) =>
      rowsOf(step).map((rows) => {
        const batch = { ...batchOf(rows), seed: config.training.seed };
        return { batch, aux: batch };
      }),
    async record(batches, outcome) {
      requireStartLoss(given, learner.state, outcome);
      const step = learner.state.step + 1;
      const due = kl !== undefined && (step % kl.every === 0 || step === learner.total);
      const klToReference = due ? await measure!(opened.model, reference!) : undefined;
      return recordStep(learner, batches, outcome, { rows: training.batchSize, ...optional({ klToReference }) });
    },
  };
}

function requireWeights(objective: PreferenceObjective, pairs: readonly ScoredPair[]): void {
  const weighed = pairs.every(({ facts }) => facts.chosen.weights && facts.rejected.weights);
  if (objective.needs.includes("weights") && !weighed)
    throw new UserError("missing-column", "the scored pairs have no weights", {
      fix: "Give the columns chosen_weights and rejected_weights in stages.score.",
    });
}

/** Before its first update a model is its reference: every log-ratio is 0, and the loss is known. */
const startTolerance = 0.01;

/** The objective that checks in the first step that the model still is its reference, token by token. */
function startingAtReference(objective: PreferenceObjective, state: TrainingState): PreferenceObjective {
  const { reads, needs, rows, startLoss } = objective;
  if (startLoss === undefined) return objective;
  return {
    ...{ reads, needs, rows, startLoss },
    masses: (tokens, aux) => objective.masses(tokens, aux),
    evaluate(signals, tokens, aux) {
      if (state.step === 0) checkStartsAtReference(signals.logProb, aux.reference!, tokens, aux.pairs);
      return objective.evaluate(signals, tokens, aux);
    },
  };
}

function requireStartLoss({ startLoss }: PreferenceObjective, { step }: TrainingState, { loss }: StepOutcome): void {
  if (step > 0 || startLoss === undefined || Math.abs(loss - startLoss) <= startTolerance) return;
  throw new UserError("reference-mismatch", `The loss before the first update is ${loss} instead of log 2.`, {
    fix: "Take the reference log-probabilities again, from the model as it is before training.",
  });
}
