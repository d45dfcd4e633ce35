import { join } from "node:path";
import { gateEviction } from "../../eviction/cache/evictions.ts";
import type { CacheCandidate } from "../../evaluation/caches/problem.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { saveGates } from "../../eviction/gates/files.ts";
import { isAdapted } from "../../model/adapters/with-adapter.ts";
import type { Model } from "../../model/model.ts";
import { UserError } from "../../system/errors.ts";
import { engineText } from "../../tensor/engine.ts";
import { checkpointSteps } from "../../training/checkpoint-files.ts";
import type { RunLearner } from "../../training/open-learner.ts";
import { cardText, shownFiles, shownPath } from "../kit/card.ts";
import type { Judged } from "../kit/responses/index.ts";
import { writeShownAnswers } from "../kit/shown-answers.ts";
import { lastEvaluation, problemsOf, writeProblems, type MeasuredRows } from "../kit/problems.ts";
import { endOf } from "../kit/results.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { summaryEnd } from "../kit/summary-end.ts";
import { countedRows } from "../kit/row-order.ts";
import { stoppable } from "../kit/reporter.ts";
import { answerOverEach, baselineCandidates, budgetCandidates, everyEntry, type CacheResult } from "./answers.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import type { GateLosses } from "./losses.ts";
import { optional } from "../../system/optional.ts";
import { pictureGates } from "./pictures.ts";
import type { GateWork } from "./work.ts";

/** Ends an arm: its last losses, answers over evicted caches, token pictures, gates and model, summary. */
export async function finish(work: GateWork, learner: RunLearner): Promise<void> {
  const { run, gates, name, inputs } = work;
  const { state } = learner;
  const end = await learner.finish();
  const evaluation = lastEvaluation(run, end.savedStep) as Partial<GateLosses> | undefined;
  const losses = lossesOf(evaluation, gates !== undefined);
  const answers = (await answerAll(work, learner).catch(savedFirst(work, learner))).map((answer) => ({
    ...answer,
    ...endOf(end),
    ...optional({ referenceProbability: losses[answer.cache]?.referenceProbability }),
  }));
  const { rowIds } = evaluation ?? {};
  if (rowIds && answers.length > 0)
    writeProblems(
      run,
      answers.flatMap((answer) => problemsOf({ ...losses[answer.cache], ...answer, rowIds }, answer.cache)),
    );
  if (gates) {
    const [first] = run.evaluation.records() as Partial<GateLosses>[];
    const pictures = {
      method: "attention-gate",
      step: state.step,
      ...(await pictureGates(work, { first, last: evaluation })),
    };
    run.writeFile("tokens.json", `${JSON.stringify(pictures)}\n`);
  }
  await saveAll(work, learner);
  const summary = {
    ...{ method: "attention-gate", name, engine: engineText(inputs.engine) },
    ...{ ...summaryEnd(end), answers },
  };
  run.writeFile("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
}

/** A metric of the user's own that fails ends the run; its state is saved, to go on when that is mended. */
const savedFirst =
  ({ run }: GateWork, learner: RunLearner) =>
  (error: unknown): Promise<never> => {
    const saved = checkpointSteps(run.checkpoints).includes(learner.state.step);
    if (!saved && error instanceof UserError && error.code === "metric-failed") return learner.stop(error);
    throw error;
  };

type CacheLosses = MeasuredRows & Pick<GateLosses, "referenceProbability">;

/**
 * The losses of the arm's last evaluation by the caches that it answers over; none of the baselines', and none of gates
 * that foresee attention, whose model is not measured.
 */
function lossesOf(evaluation: Partial<GateLosses> | undefined, gated: boolean): Record<string, CacheLosses> {
  if (evaluation?.rowLosses === undefined) return {};
  const full = evaluation as GateLosses;
  if (!gated) return { full };
  const { hardReferenceProbability, rowHardLosses } = full;
  return { full, gates: { ...full, referenceProbability: hardReferenceProbability!, rowLosses: rowHardLosses! } };
}

/** Answers over the caches that this arm stands for: the gates', or those of the baselines; and over all entries. */
async function answerAll(work: GateWork, { state }: RunLearner): Promise<CacheResult[]> {
  const { config, inputs, model, gates, reporter, interrupted, budget, run } = work;
  const candidates = gates ? gateCandidates(model, gates, config) : await baselineCandidates(model, config, budget);
  const again = checkpointSteps(run.checkpoints).includes(state.step);
  const { working } = again ? stoppable(reporter, interrupted) : reporter;
  const judged = new Map<string, readonly Judged[]>();
  const results = await answerOverEach(candidates, { ...work, working }, (cache, answers) =>
    judged.set(cache, answers),
  );
  const [before, after] = [judged.get("full"), judged.get("gates")];
  const held = inputs.validation;
  if (held && before && after) writeShownAnswers(run, { held, tokenizer: model.tokenizer }, { before, after });
  return results;
}

/** The model of gates that foresee attention is the one it started from: its answers over all entries come later. */
function gateCandidates(model: Model, gates: GateNetwork, config: AttentionGateConfig): CacheCandidate[] {
  const { objective, sinks, window, threshold } = config.gates;
  if (objective === "future") return budgetCandidates(gates, config);
  const eviction = gateEviction(model, gates, { sinks, window, ...optional({ threshold }) });
  return [{ name: "gates", eviction }, everyEntry(model)];
}

/** Writes the gates first: saving an adapted model merges it. */
async function saveAll(
  { run, config, model, gates, command, name, inputs }: GateWork,
  { state }: RunLearner,
): Promise<void> {
  const { sinks, window, threshold, rows, objective, target } = config.gates;
  const ratio = config.evaluation.keep?.[0];
  const facts = [
    `Start: ${shownPath(config.model)}`,
    `Data: ${shownFiles(config.data.train)}`,
    `Arm: ${name}`,
    objective === "future"
      ? `Objective: what later tokens attend to (${target})`
      : `Objective: ${objective}, eviction loss ${JSON.stringify(config.eviction)}`,
    `${state.step} steps of ${countedRows(config.training.batchSize, config.data)}, seed ${config.training.seed}`,
  ];
  const { chatTemplate } = inputs;
  if (gates)
    await saveGates(gates, model, join(run.path, "gates"), {
      card: cardText({
        title: "Gates that evict from a key-value cache, trained with tokensift",
        facts: [...facts, ...templateFacts(chatTemplate)],
        command,
      }),
      use: { sinks, window, ...optional({ threshold, ratio }), rows },
      ...(config.mode === "finetune" && {
        modelBefore: (isAdapted(model) ? (model.trunk as Model) : model).fingerprint,
      }),
    });
  if (config.mode === "pretrain") return; // the model is the one it started from
  const card = { title: "A model trained with tokensift", facts, command, chatTemplate };
  await saveTrained(run, model, card, config.save);
}

/** Gates lie over a model that may be the starting one, with its own template. */
function templateFacts(given: string | undefined): string[] {
  return given === undefined
    ? []
    : ["Chat template: the run was given another one (`data.chatTemplate`) than the start's"];
}
