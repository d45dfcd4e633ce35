import { join } from "node:path";
import type { CdpoArm } from "./config-schema.ts";
import { findEntry } from "../../config/catalogue.ts";
import { isModulePath } from "../../config/method-choice.ts";
import { UserError } from "../../system/errors.ts";
import { isAdapted, trainableShare, type Decoder, type Model } from "../../model/index.ts";
import {
  alternatingPairs,
  checkStartsAtReference,
  preferenceForms,
  type PreferenceObjective,
} from "../../preference/index.ts";
import { engineText } from "../../tensor/engine.ts";
import { isRunFolder, openRunFolder, preferenceInput } from "../../training/index.ts";
import type { ObjectiveInput, ObjectiveRecord, PairBatch } from "../../training/index.ts";
import { cardText, shownFiles, shownPath } from "../kit/card.ts";
import { responseBatch } from "../kit/responses/index.ts";
import { saveTrained } from "../kit/save-trained.ts";
import type { ScoredPair, TokenFacts } from "./files.ts";
import { openLearner, type Learner } from "./learner.ts";
import { oddEnds } from "./pairs.ts";
import { digestOf, type Stage } from "./stages.ts";
import { decisive, release, trainable, withTrunk, type CdpoWork } from "./work.ts";

/** Trains an opened alignment to its last step. */
export type Align = (learner: Learner) => Promise<void>;

/** Aligns the starting model with the pairs under the arm's objective. The result is the folder of the arm. */
export function alignStage(work: CdpoWork, arm: CdpoArm, scored: Stage<ScoredPair[]>, align: Align): Stage<string> {
  const { config, materials } = work;
  const { adapter, training } = config.align;
  const { name, objective, learningRate } = arm;
  const { shuffle } = config.data;
  return work.stage({
    name: `align.${name}`,
    needs: [scored],
    inputs: {
      model: materials.identity["model"],
      ...{ objective, adapter: adapter ?? null, shuffle, seed: config.seed },
      ...(isModulePath(objective.method) && { module: digestOf(objective.method) }),
      training: { ...decisive(training), learningRate },
    },
    output: join(name, adapter === undefined ? "model" : "adapter"),
    leftovers: [name],
    read: () => join(work.run.path, name),
    async work(resume) {
      const pairs = await scored.load();
      await withTrunk(work, (trunk) => alignArm(work, arm, trunk, { pairs, resume, align }));
    },
  });
}

async function alignArm(
  work: CdpoWork,
  arm: CdpoArm,
  trunk: Model,
  { pairs, resume, align }: { pairs: readonly ScoredPair[]; resume: boolean; align: Align },
): Promise<void> {
  const { config, materials, interrupted, allowChanges } = work;
  const { adapter, training } = config.align;
  const path = join(work.run.path, arm.name);
  const talk = work.talkOf(arm.name);
  const objective = work.objectives.get(arm.name)!;
  for (const note of oddEnds(pairs, trunk.config.endOfText)) talk.note(note);
  using run = openRunFolder(path, isRunFolder(path) ? (resume ? "resume" : "overwrite") : "new");
  const disposals: (() => void)[] = [];
  try {
    const model = await trainable(trunk, adapter, config.seed);
    disposals.push(() => release(model));
    if (isAdapted(model))
      talk.note(`${arm.name}: ${trainableShare(model).trainable} numbers to train, ${pairs.length} pairs.`);
    const reference = objective.reads.includes("forwardKl") ? await referenceOf(work, model) : undefined;
    if (reference?.dispose) disposals.push(reference.dispose);
    const learner = await openLearner({
      ...{ name: arm.name, run, model, training, materials, talk, resume, allowChanges, interrupted },
      learningRate: arm.learningRate,
      seed: config.seed,
      shuffle: config.data.shuffle,
      lengths: pairs.map(
        ({ chosen, rejected }) => chosen.prompt.length + Math.max(chosen.ids.length, rejected.ids.length),
      ),
      input: (rows, step) => inputOf(objective, pairs, { rows, step, seed: config.seed }),
      reference: reference?.model,
    });
    disposals.unshift(learner.state.optimizer.dispose);
    await align(startingAtReference(learner, objective));
    await saveTrained(run, model, cardOf(work, arm, learner.state.step));
    const summary = { ...summaryOf(arm, run.metrics.records(), pairs.length), engine: engineText(materials.engine) };
    run.writeFile("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
  } finally {
    disposals.forEach((free) => free());
  }
}

/** The starting model beside the one in training: the trunk, or a second copy where all weights are trained. */
async function referenceOf({ materials }: CdpoWork, model: Model): Promise<{ model: Decoder; dispose?: () => void }> {
  if (isAdapted(model)) return { model: model.trunk };
  const copy = await materials.openModel();
  return { model: copy, dispose: copy.dispose };
}

/** Some pairs under the arm's objective; in the first step it is checked that the model still is the reference. */
function inputOf(
  objective: PreferenceObjective,
  pairs: readonly ScoredPair[],
  { rows, step, seed }: { rows: readonly number[]; step: number; seed: number },
): ObjectiveInput {
  const batch = { ...(objective.rows === "pairs" ? pairBatch : chosenBatch)(pairs, rows), seed };
  if (objective.needs.includes("weights") && batch.weights === undefined)
    throw new UserError("the scored pairs have no weights", {
      fix: "Give the columns chosen_weights and rejected_weights in stages.score.",
    });
  const input = preferenceInput(objective, batch);
  if (step > 0 || objective.startLoss === undefined) return input;
  return {
    ...input,
    judge(signals) {
      checkStartsAtReference(signals.logProb, batch.reference!, batch, batch.pairs);
      return input.judge(signals);
    },
  };
}

/** The chosen responses alone, as a batch without pairs. */
function chosenBatch(pairs: readonly ScoredPair[], rows: readonly number[]): PairBatch {
  return batchOfSides(pairs, rows, ["chosen"], 0);
}

/** Some pairs as neighbouring rows, chosen first, with what objectives read of their tokens. */
export function pairBatch(pairs: readonly ScoredPair[], rows: readonly number[]): PairBatch {
  return batchOfSides(pairs, rows, ["chosen", "rejected"], rows.length);
}

function batchOfSides(
  pairs: readonly ScoredPair[],
  rows: readonly number[],
  which: readonly ("chosen" | "rejected")[],
  count: number,
): PairBatch {
  const sides = rows.flatMap((row) => {
    const { facts, ...texts } = pairs[row]!;
    return which.map((side) => ({ text: texts[side], facts: facts[side], id: 2 * row + Number(side === "rejected") }));
  });
  const batch = responseBatch(
    sides.map(({ text }) => text),
    sides.map(({ id }) => id),
  );
  const spread = (key: keyof TokenFacts): Float32Array | undefined => {
    if (sides.some(({ facts }) => facts[key] === undefined)) return undefined;
    const values = new Float32Array(batch.rows * batch.width);
    sides.forEach(({ text, facts }, row) => values.set(facts[key]!, row * batch.width + text.prompt.length));
    return values;
  };
  const [reference, logEstimate, weights] = [spread("reference"), spread("logEstimate"), spread("weights")];
  return {
    ...batch,
    pairs: alternatingPairs(count),
    ...(reference && { reference }),
    ...(logEstimate && { logEstimate }),
    ...(weights && { weights }),
  };
}

/** Before its first update a model is its reference: every log-ratio is 0, and the loss is known. */
const startTolerance = 0.01;

function startingAtReference(learner: Learner, objective: PreferenceObjective): Learner {
  const { startLoss } = objective;
  if (startLoss === undefined) return learner;
  const record = (step: ObjectiveRecord): Promise<void> => {
    if (step.step === 1 && Math.abs(step.loss - startLoss) > startTolerance)
      throw new UserError(`The loss before the first update is ${step.loss} instead of log 2.`, {
        fix: "Take the reference log-probabilities again, from the model as it is before training.",
      });
    return learner.record(step);
  };
  return { ...learner, record };
}

function cardOf({ config, command }: CdpoWork, { objective, learningRate }: CdpoArm, steps: number): string {
  const paper = findEntry(preferenceForms, objective.method)?.paper;
  return cardText(
    "A model aligned with tokensift",
    [
      `Start: ${shownPath(config.model)}`,
      `Questions: ${shownFiles(config.data.train)}`,
      `Objective: ${JSON.stringify(objective)}${paper === undefined ? "" : ` (${paper})`}`,
      ...(config.align.adapter ? [`LoRA adapter: ${JSON.stringify(config.align.adapter)}`] : []),
      `${steps} steps of ${config.align.training.batchSize} pairs, learning rate ${learningRate}, seed ${config.seed}`,
    ],
    command,
  );
}

function summaryOf(
  { name, objective, learningRate }: CdpoArm,
  records: readonly Readonly<Record<string, unknown>>[],
  pairs: number,
): object {
  const last = records.at(-1);
  return {
    method: "cdpo",
    ...{ name, objective, learningRate, pairs },
    steps: records.length,
    firstLoss: records[0]?.["loss"],
    lastLoss: last?.["loss"],
    ...(last?.["accuracy"] !== undefined && { accuracy: last["accuracy"], rewardMargin: last["rewardMargin"] }),
  };
}
