import { existsSync } from "node:fs";
import { join } from "node:path";
import { runSubfolders } from "../../config/index.ts";
import type { CdpoArm, CdpoConfig } from "./config-schema.ts";
import { UserError } from "../../system/errors.ts";
import { readModelFacts, type ModelFacts } from "../../model/index.ts";
import { isDiskFull } from "../../system/disk-error.ts";
import { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "../../training/index.ts";
import type { Materials } from "../kit/inputs.ts";
import { questionsOf, type Drawn, type Judged } from "../kit/responses/index.ts";
import { Interrupted, type ArmTalk } from "../kit/reporter.ts";
import { alignStage, type Align } from "./align.ts";
import { armsOf } from "./config.ts";
import { contrastStages, type ContrastModels } from "./contrast.ts";
import { evaluateStage, scoreTable, scoresOf, type Answers, type Scores } from "./evaluate.ts";
import type { ResponsePair, ScoredPair } from "./files.ts";
import { objectivesOf } from "./objectives.ts";
import { pairStage } from "./pairs.ts";
import { picturePairs } from "./pictures.ts";
import { judgeStage, sampleStage } from "./sample.ts";
import { readoutOf } from "./readout.ts";
import { scoreStage } from "./score.ts";
import { hasStages, stageMaker, type Stage } from "./stages.ts";
import type { CdpoWork } from "./work.ts";

/** The stages of a run. Naming one computes nothing: `report` asks for the last, and each asks for those it reads. */
export interface CdpoRun {
  /** Starts with the main alignment. */
  readonly arms: readonly CdpoArm[];
  sample(): Stage<Drawn[]>;
  judge(responses: Stage<Drawn[]>): Stage<Judged[]>;
  contrastModels(judged: Stage<Judged[]>): ContrastModels;
  pairs(judged: Stage<Judged[]>): Stage<ResponsePair[]>;
  score(pairs: Stage<ResponsePair[]>, models: ContrastModels): Stage<ScoredPair[]>;
  /** @param train takes an opened alignment through its steps */
  align(arm: CdpoArm, scored: Stage<ScoredPair[]>, train: Align): Stage<string>;
  /** Answers of an aligned model to the held-out problems; without one, of the starting model. */
  evaluate(name: string, aligned?: Stage<string>): Stage<Answers>;
  /** Sees every stage through and writes the table. */
  report(answers: Readonly<Record<string, Stage<Answers>>>, scored: Stage<ScoredPair[]>): Promise<void>;
}

export interface CdpoOptions {
  config: CdpoConfig;
  /** The configuration as YAML, for the run folder. */
  resolvedYaml: string;
  mode: RunFolderMode;
  allowChanges: boolean;
  materials: () => Promise<Materials>;
  talkOf: (label: string) => ArmTalk;
  interrupted: () => boolean;
  command: string;
}

/**
 * Opens the run folder and hands its stages to `pipeline`. A run that is there is gone on with: stages that nothing has
 * changed are kept.
 * @returns the run's folder, and the table
 */
export async function runCdpo(
  options: CdpoOptions,
  pipeline: (run: CdpoRun) => Promise<void>,
): Promise<{ path: string; table: string }> {
  const { config } = options;
  const mode = options.mode === "new" && isRunFolder(config.output) ? "resume" : options.mode;
  if (mode === "resume") refuseOtherRun(config.output);
  using run = openRunFolder(config.output, mode);
  try {
    const materials = await options.materials();
    const replaced: Stage<unknown>[] = [];
    const facts = await readModelFacts(config.model);
    const work = await workOf(options, run, materials, facts, await objectivesOf(config));
    run.writeConfig(options.resolvedYaml); // an earlier run's stays where this one cannot begin
    let table = "";
    await pipeline({
      ...stagesOf(work, replaced),
      async report(answers, scored) {
        // a file that cannot be used is told before anything is computed
        for (const stage of replaced) await stage.ready();
        await scored.ready();
        const scores: Scores[] = [];
        for (const [name, stage] of Object.entries(answers)) scores.push(scoresOf(name, await stage.load()));
        table = scoreTable(scores);
        const pairs = await scored.load();
        run.writeFile("results.json", `${JSON.stringify({ scores, ...readoutOf(pairs) }, null, 2)}\n`);
        run.writeFile("table.txt", table);
        const rows = picturePairs(pairs, facts.tokenizer);
        run.writeFile("tokens.json", `${JSON.stringify({ method: "cdpo", rows })}\n`);
      },
    });
    return { path: run.path, table };
  } catch (error) {
    const resumable = error instanceof Interrupted || isDiskFull(error);
    if (!resumable && run.previousConfig === undefined && !hasStages(run)) run.discard();
    throw error;
  }
}

/** What other recipes, and an arm, leave in their folders beside the files that all runs have. */
const ofOtherRuns = runSubfolders.filter((name) => name !== "stages");

/** A run is gone on with without being asked for; one that is not of this recipe would lose its results. */
function refuseOtherRun(path: string): void {
  const other = ofOtherRuns.find((name) => existsSync(join(path, name)));
  if (other === undefined) return;
  throw new UserError(`the folder holds a run that is not one of trainers/cdpo.ts (it has ${other})`, {
    where: path,
    fix: "Name another folder: --set output=FOLDER",
  });
}

async function workOf(
  options: CdpoOptions,
  run: RunFolder,
  materials: Materials,
  { tokenizer, config: shape }: ModelFacts,
  objectives: CdpoWork["objectives"],
): Promise<CdpoWork> {
  const { config, talkOf, interrupted, allowChanges, command } = options;
  const { tokens, validation, trainingAnswersOf, answersOf } = materials;
  if (validation === undefined) throw new UserError("there are no held-out rows", { fix: "Give data.validation." });
  const questions = await questionsOf(tokens, tokenizer, trainingAnswersOf);
  return {
    ...{ config, run, objectives, materials, allowChanges, command, interrupted, talkOf, questions },
    surroundings: { questions, maxPositions: shape.maxPositions },
    held: await questionsOf(validation, tokenizer, answersOf, config.evaluation.rows),
    vocabularySize: shape.vocabularySize,
    stage: stageMaker(run, talkOf("cdpo")),
  };
}

/** @param replaced receives the stages that the user's files take the place of */
function stagesOf(shared: CdpoWork, replaced: Stage<unknown>[]): Omit<CdpoRun, "report"> {
  const work: CdpoWork = {
    ...shared,
    stage(spec) {
      const stage = shared.stage(spec);
      if (spec.replacement !== undefined) replaced.push(stage);
      return stage;
    },
  };
  return {
    arms: armsOf(work.config),
    sample: () => sampleStage(work),
    judge: (responses) => judgeStage(work, responses),
    contrastModels: (judged) => contrastStages(work, judged),
    pairs: (judged) => pairStage(work, judged),
    score: (pairs, models) => scoreStage(work, pairs, models),
    align: (arm, scored, train) => alignStage(work, arm, scored, train),
    evaluate: (name, aligned) => evaluateStage(work, name, aligned),
  };
}
