import { join } from "node:path";
import { portableBase } from "../../model/adapters/peft.ts";
import { isAdapted } from "../../model/adapters/with-adapter.ts";
import { saveTokenRewardModel } from "../../reward/model/token-reward-model.ts";
import { engineText } from "../../tensor/engine.ts";
import type { TrainingEnd } from "../../training/open-learner.ts";
import type { TrainingState } from "../../training/state.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { adapterCardText, cardText, shownFiles, shownPath } from "../kit/card.ts";
import { rowChoice } from "../kit/pictured-rows.ts";
import { lastEvaluation, writeLastProblems } from "../kit/problems.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { summaryEnd } from "../kit/summary-end.ts";
import { type OrealConfig, usualAnswers } from "./config-schema.ts";
import type { OrealModels } from "./models.ts";
import { pictureResponses } from "./pictures.ts";

/** An arm that has come to its end. */
export interface Finished {
  readonly opening: ArmOpening<OrealConfig>;
  readonly models: OrealModels;
  readonly state: TrainingState;
  readonly end: TrainingEnd;
}

/** Writes the models, responses under their token weights, and the summary. */
export async function writeResults(arm: Finished): Promise<void> {
  await saveModels(arm);
  const { opening, models, state, end } = arm;
  const { tokenizer, config } = models.policy;
  const { run, reporter } = opening;
  writeLastProblems(run, end);
  const pictured = pictureResponses(run.path, state.step - 1, rowChoice(opening.config.report, usualAnswers), {
    ...{ tokenizer, vocabularySize: config.vocabularySize, note: reporter.note },
  });
  run.writeFile("tokens.json", `${JSON.stringify({ method: "oreal", step: state.step, ...pictured })}\n`);
  run.writeFile("summary.json", `${JSON.stringify(summaryOf(arm), null, 2)}\n`);
}

/** Writes the reward model first: saving an adapted policy merges it into the trunk below both. */
async function saveModels({ opening: { run, config, command, inputs }, models, state }: Finished): Promise<void> {
  const { objective, training, data, save } = config;
  const { chatTemplate } = inputs;
  const facts = [
    "Trained by outcome rewards (OREAL, arXiv 2502.06781)",
    `Start: ${shownPath(config.model)}`,
    `Questions: ${shownFiles(data.train)}`,
    `Objective: ${JSON.stringify(objective)}`,
    `${state.step} iterations, seed ${training.seed}`,
  ];
  if (models.reward) {
    const about = { title: "A token reward model trained with tokensift", facts, command, chatTemplate };
    const { decoder } = models.reward;
    const card = isAdapted(decoder) ? adapterCardText(about, portableBase(decoder.adapter)) : cardText(about);
    const { weights } = objective;
    const scoreAt = "scoreAt" in weights ? weights.scoreAt : undefined;
    const options = { ...save, card, chatTemplate, ...(scoreAt && { scoreAt }) };
    await saveTokenRewardModel(models.reward, join(run.path, "reward-model"), options);
  }
  const card = { title: "A model trained with tokensift", facts, command, chatTemplate };
  await saveTrained(run, models.policy, card, save);
}

function summaryOf({ opening, end }: Finished): object {
  const { name, run, inputs, config } = opening;
  const evaluations = run.evaluation.records();
  const scores = (evaluation: Record<string, unknown> | undefined) =>
    evaluation && { step: evaluation["step"], exactMatch: evaluation["exactMatch"], passAt1: evaluation["passAt1"] };
  const drawn = run.metrics.records().reduce((sum, { responses }) => sum + Number(responses), 0);
  return {
    method: "oreal",
    name,
    preset: config.objective.preset,
    engine: engineText(inputs.engine),
    ...summaryEnd(end),
    responses: drawn,
    start: scores(evaluations.find(({ step }) => step === 0)),
    end: scores(lastEvaluation(run, end.savedStep)),
  };
}
