import { existsSync } from "node:fs";
import { join } from "node:path";
import { runSubfolders } from "../../config/index.ts";
import { type CdpoArm, type CdpoConfig, usualPairs } from "./config-schema.ts";
import { UserError } from "../../system/errors.ts";
import { isDiskError } from "../../system/disk-error.ts";
import { isRunFolder, openRunFolder, type RunFolder } from "../../training/run-folder.ts";
import { questionsOf, type Answers, type Drawn, type Judged } from "../kit/responses/index.ts";
import type { OwnNumbers } from "../../evaluation/own-metric.ts";
import type { Model } from "../../model/model.ts";
import type { BatchFact } from "../../preference/batch.ts";
import { startOf, trunkLoading } from "../kit/adapter.ts";
import { shownFiles } from "../kit/card.ts";
import { summaryOf } from "../kit/arms.ts";
import { endOf, type ResultRow } from "../kit/results.ts";
import type { HeldOutLosses } from "../kit/held-out-losses.ts";
import { pairsOf } from "../kit/pair-tokens.ts";
import { listedPlaces, rowChoice } from "../kit/pictured-rows.ts";
import { problemsOf, writeProblems } from "../kit/problems.ts";
import { writeShownAnswers } from "../kit/shown-answers.ts";
import type { OpenRun, RecipeWork } from "../kit/recipe.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { optional } from "../../system/optional.ts";
import { lastKl } from "./align-files.ts";
import { alignStage, type Train } from "./align.ts";
import { armsOf, mainCdpoArm, neededStages } from "./config.ts";
import { metricStage } from "./own-metric.ts";
import { refuseUnmeasured } from "./refuse-unmeasured.ts";
import { adapterFile, contrastStages, type ContrastModels } from "./contrast.ts";
import { evaluateStage } from "./evaluate.ts";
import type { ResponsePair, ScoredPair } from "./files.ts";
import { lossStage } from "./losses.ts";
import { objectivesOf, refuseBesidePairs } from "./objectives.ts";
import { pairFile, pairStage } from "./pairs.ts";
import { picturePairs } from "./pictures.ts";
import { preferenceStage, type PairScore } from "./preferences.ts";
import { comparedModels, learntBy, modelRow, pairRow, type ModelRow } from "./results.ts";
import { drawnFile, judgedFile, judgeStage, sampleStage } from "./sample.ts";
import { readoutOf } from "./readout.ts";
import { scoredFile, scoreStage } from "./score.ts";
import { checkReplacement, hasStages, stageRunner, type StageResult } from "./stages.ts";
import { holdTrunk } from "./trunk.ts";
import type { CdpoWork } from "./work.ts";

/**
 * The stages of a run, to be awaited in their order. Each keeps the result that is there while nothing that decides it
 * has changed; one whose result nothing reads, as files of the user's take the place of later ones, is left out.
 */
export interface CdpoRun {
  /** Starts with the main alignment. */
  readonly arms: readonly CdpoArm[];
  sample(): Promise<StageResult<Drawn[]>>;
  judge(responses: StageResult<Drawn[]>): Promise<StageResult<Judged[]>>;
  contrastModels(judged: StageResult<Judged[]>): Promise<ContrastModels>;
  pairs(judged: StageResult<Judged[]>): Promise<StageResult<ResponsePair[]>>;
  score(pairs: StageResult<ResponsePair[]>, models: ContrastModels): Promise<StageResult<ScoredPair[]>>;
  /** @param train takes an opened alignment through its steps; the model is saved after it */
  align(arm: CdpoArm, scored: StageResult<ScoredPair[]>, train: Train): Promise<StageResult<string>>;
  /**
   * Answers of an aligned model to the held-out problems, and its losses on their reference responses, or its scores of
   * the held-out pairs: a row of the results. Without one, of the starting model.
   */
  evaluate(name: string, aligned?: StageResult<string>): Promise<void>;
}

/**
 * Opens the run folder, and looks at the files of the user's before anything is computed. Of a run that is
 * there, stages that nothing has changed are kept.
 */
export async function openCdpo(opening: RecipeWork<CdpoConfig>): Promise<OpenRun<CdpoRun>> {
  const { config } = opening;
  const mode = opening.mode === "new" && isRunFolder(config.output) ? "resume" : opening.mode;
  if (mode === "resume") refuseOtherRun(config.output);
  const run = openRunFolder(config.output, mode);
  const fail = (error: unknown): void => {
    const resumable = error instanceof Interrupted || isDiskError(error);
    if (!resumable && run.previousConfig === undefined && !hasStages(run)) run.discard();
  };
  let work: CdpoWork | undefined;
  const close = (): void => {
    work?.trunk.release();
    run.close();
  };
  try {
    work = await workOf(opening, run);
    for (const file of filesOf(work)) await checkReplacement(file, work.reporterOf("cdpo").note);
    run.writeConfig(opening.resolvedYaml); // an earlier run's stays where this one cannot begin
  } catch (error) {
    fail(error);
    close();
    throw error;
  }
  return { ...stagesOf(work), path: run.path, writeFile: run.writeFile, fail, close };
}

/** What other recipes, and an arm, leave in their folders beside the files that all runs have. */
const ofOtherRuns = runSubfolders.filter((name) => name !== "stages");

/** A run is resumed without --resume; one of another recipe would lose its results. */
function refuseOtherRun(path: string): void {
  const other = ofOtherRuns.find((name) => existsSync(join(path, name)));
  if (other === undefined) return;
  throw new UserError("foreign-files", `the folder holds a run that is not one of trainers/cdpo.ts (it has ${other})`, {
    where: path,
    fix: "Name another folder: --set output=FOLDER",
  });
}

async function workOf(opening: RecipeWork<CdpoConfig>, run: RunFolder): Promise<CdpoWork> {
  const { config, reporterOf, interrupted, allowChanges, command } = opening;
  const inputs = await opening.inputs();
  const { tokens, validation, trainingAnswersOf, answersOf } = inputs;
  if (validation === undefined)
    throw new UserError("missing-option", "there are no held-out rows", { fix: "Give data.validation." });
  refuseUnmeasured(config, inputs);
  listedPlaces(config.report, tokens, "data.train"); // a question that is not there is refused now
  const objectives = await objectivesOf(config);
  const reads = (fact: BatchFact): boolean => [...objectives.values()].some(({ needs }) => needs.includes(fact));
  const [estimated, rated, weighed] = [reads("logEstimate"), reads("logRatio"), reads("weights")];
  const { tokenizer, shape } = inputs;
  const { note } = reporterOf("cdpo");
  refuseBesidePairs(config, inputs);
  const given = inputs.pairs && pairsOf(inputs.pairs, shownFiles(config.data.train), note);
  const heldPairs =
    inputs.heldPairs &&
    pairsOf(inputs.heldPairs, shownFiles(config.data.validation!), note).slice(0, config.evaluation.rows);
  const questions = given
    ? given.map(({ rowId, chosen: { prompt } }) => ({ rowId, prompt, reference: "" }))
    : await questionsOf(tokens, tokenizer, trainingAnswersOf);
  // without an adapter the alignment trains the very model that the other stages have over their adapters
  const openTrunk = (): Promise<Model> =>
    config.align.adapter
      ? inputs.shareModel(trunkLoading(shape, [config.contrast.adapter, config.align.adapter]))
      : inputs.openModel();
  return {
    ...{
      config,
      run,
      objectives,
      estimated,
      rated,
      weighed,
      given,
      heldPairs,
      inputs,
      allowChanges,
      command,
      interrupted,
      reporterOf,
      questions,
    },
    tokenizer,
    needed: neededStages(config.stages, { contrasted: estimated || rated, given: given !== undefined }),
    trunk: holdTrunk(openTrunk, (trunk) => startOf(trunk, config.align.adapter)),
    surroundings: { questions, maxPositions: shape.maxPositions },
    held: heldPairs ? [] : await questionsOf(validation, tokenizer, answersOf, config.evaluation.rows),
    vocabularySize: shape.vocabularySize,
    stage: stageRunner(run, reporterOf("cdpo")),
  };
}

/** What the user may give, in the order of the stages. */
function filesOf(work: CdpoWork) {
  return [
    ...[drawnFile(work), judgedFile(work)],
    ...[adapterFile(work, "positive"), adapterFile(work, "negative")],
    ...[pairFile(work), scoredFile(work)],
  ];
}

function stagesOf(work: CdpoWork): Pick<OpenRun<CdpoRun>, "run" | "finish"> {
  const arms = armsOf(work.config);
  const measured: MeasuredModel[] = [];
  let scored: StageResult<ScoredPair[]> | undefined;
  let pairs: Promise<StageResult<ResponsePair[]>> | undefined;
  const pairsOnce = (judged: StageResult<Judged[]>) => (pairs ??= pairStage(work, judged));
  const run: CdpoRun = {
    arms,
    sample: () => sampleStage(work),
    judge: (responses) => judgeStage(work, responses),
    contrastModels: async (judged) =>
      contrastStages(work, work.given ? { pairs: await pairsOnce(judged) } : { judged }),
    pairs: pairsOnce,
    score: async (pairs, models) => (scored = await scoreStage(work, pairs, models)),
    align: (arm, scored, train) => alignStage(work, arm, scored, train),
    async evaluate(name, aligned) {
      if (work.heldPairs) {
        measured.push({ name, scores: await preferenceStage(work, name, work.heldPairs, aligned) });
        return;
      }
      const answers = await evaluateStage(work, name, aligned);
      const own = await metricStage(work, name, answers);
      measured.push({ name, answers, own, losses: await lossStage(work, name, aligned) });
    },
  };
  return { run, finish: () => finish(work, measured, scored) };
}

/** A model that has been evaluated. */
type MeasuredModel = { readonly name: string } & (
  | {
      readonly answers: StageResult<Answers>;
      readonly losses: StageResult<HeldOutLosses>;
      readonly own: StageResult<OwnNumbers> | undefined;
    }
  | { readonly scores: StageResult<PairScore[]> }
);

/** How far an arm has gone from its start, where that was measured; where it was stopped, and which step's model it is. */
function pathOf({ config, run }: CdpoWork, { name }: CdpoArm): ResultRow {
  using arm = openRunFolder(join(run.path, name), "resume");
  const records = arm.metrics.records();
  const end = endOf(summaryOf(arm));
  if (config.align.kl === undefined) return end;
  return { ...optional({ klToReference: lastKl(records) }), steps: records.length, ...end };
}

async function finish(
  work: CdpoWork,
  measured: readonly MeasuredModel[],
  scored: StageResult<ScoredPair[]> | undefined,
): ReturnType<OpenRun<CdpoRun>["finish"]> {
  const rows: ModelRow[] = [];
  let start: readonly PairScore[] | undefined;
  for (const model of measured) {
    const { name } = model;
    const arm = armsOf(work.config).find((arm) => arm.name === name);
    const about = { name, learnt: arm === undefined ? "nothing: the starting model" : learntBy(arm) };
    let row: ModelRow;
    if ("scores" in model) {
      const scores = await model.scores.load();
      row = pairRow(about, scores, start);
      start ??= scores; // the starting model comes first
    } else row = modelRow(about, await model.answers.load(), await model.losses.load(), await model.own?.load());
    writeProblems(work.run, problemsOf(row), arm?.name);
    rows.push(arm === undefined ? row : { ...row, ...pathOf(work, arm) });
  }
  const [before, after] = [measured[0], measured.find(({ name }) => name === mainCdpoArm(work.config).name)];
  if (before && after && "answers" in before && "answers" in after) {
    const sides = { before: (await before.answers.load()).greedy, after: (await after.answers.load()).greedy };
    writeShownAnswers(work.run, { held: work.inputs.validation!, tokenizer: work.tokenizer }, sides);
  }
  const pairs = (await scored?.load()) ?? [];
  const choice = rowChoice(work.config.report, usualPairs);
  const pictured = picturePairs(pairs, work.tokenizer, choice, work.reporterOf("cdpo").note);
  work.run.writeFile("tokens.json", `${JSON.stringify({ method: "cdpo", ...pictured })}\n`);
  return { rows, facts: { ...readoutOf(pairs) }, compared: comparedModels(rows, armsOf(work.config)) };
}
