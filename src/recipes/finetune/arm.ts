import { stepBatches } from "../../data/batches.ts";
import type { RuleContext, TokenBatch, TokenRule } from "../../contract/index.ts";
import { combineGrades, type NoiseGrade } from "../../evaluation/precision-recall.ts";
import { isAdapted } from "../../model/adapters/with-adapter.ts";
import { engineText } from "../../tensor/engine.ts";
import type { EvaluationPart } from "../../training/evaluation-lines.ts";
import { fateLog } from "../../training/fates.ts";
import { newTrainingState, type TrainingState } from "../../training/state.ts";
import { openLearner, type RunLearner } from "../../training/open-learner.ts";
import { planSignals, type SignalPlan } from "../../training/signals.ts";
import { rowsOf, ruleContext, stepRecord, tokensOf, type RuleOutcome, type StepRecord } from "../../training/train.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { writeLastProblems } from "../kit/problems.ts";
import { stoppable } from "../kit/reporter.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { summaryEnd } from "../kit/summary-end.ts";
import { orderOf } from "../kit/row-order.ts";
import { trunkLoading } from "../kit/adapter.ts";
import { learnerSettings, optimizerOptions, trainedModel } from "../kit/training-settings.ts";
import { modelCard } from "./card.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import { evaluate } from "./evaluate.ts";
import { startPictures, writePictures } from "./pictures.ts";
import { openAnchor, openSources, ruleOf, ruleOfRun } from "./rules.ts";
import { everyWatch } from "./watches.ts";

/** One run of a comparison: a rule, a starting model, a folder. */
export interface FinetuneArm {
  readonly name: string;
  readonly rule: TokenRule;
  /** Model, optimizer, schedule; writes the run folder. */
  readonly learner: RunLearner;
  /** Where every signal that the rule reads comes from. */
  readonly signals: SignalPlan;
  /** The micro-batches of a step: the same rows for every arm. */
  batches(step: number): TokenBatch[];
  /** What the rule may know of the run besides the tokens. */
  context(): RuleContext;
  /** Ends a step: writes its record; evaluates and saves a checkpoint when they are due. */
  record(batches: readonly TokenBatch[], outcome: RuleOutcome): Promise<void>;
  /** Evaluates, and writes the model, the token pictures and the summary. */
  finish(): Promise<void>;
  /** Frees the model and everything that was made for this arm. */
  dispose(): void;
}

/** Readies an arm: model, rule, signal sources, learner; continues a checkpoint or evaluates the starting model. */
export async function openArm(options: ArmOpening<FinetuneConfig>): Promise<FinetuneArm> {
  const { config, inputs, reporter } = options;
  const { tokens } = inputs;
  listedPlaces(config.report, tokens, "data.train"); // a row that is not there is refused now
  const rule = ruleOfRun(await ruleOf(config.selection, config), config, tokens);
  const trunk = config.adapter
    ? await inputs.shareModel(trunkLoading(inputs.shape, [config.adapter]))
    : await inputs.openModel();
  const disposals = [trunk.dispose];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const model = await trainedModel(trunk, config.adapter, { seed: config.training.seed, reporter });
    if (isAdapted(model)) disposals.unshift(model.dispose);
    const opened = await openSources(rule, model, config, inputs, stoppable(reporter, options.interrupted));
    disposals.push(opened.dispose);
    const anchor = await openAnchor(rule, model, config, inputs);
    disposals.unshift(anchor.dispose);
    const state = newTrainingState(model, tokens, {
      optimizer: optimizerOptions(config.training),
      sources: opened.sources,
    });
    disposals.push(state.optimizer.dispose);
    const learner = await openLearner(model, learnerOptions(options, state, rule));
    await startPictures(options, learner);
    const fates = fateLog(state, tokens);
    const order = orderOf(config);
    const arm = {
      ...{ name: options.name, rule, learner, dispose },
      signals: planSignals(rule, state.sources, anchor.reference),
      batches: (step: number) => stepBatches(tokens, order, step),
      context: () => ruleContext(state, config.training.seed),
      record(batches: readonly TokenBatch[], outcome: RuleOutcome) {
        const fate = fates.record(batches, outcome.weights);
        const metrics = () => ({ ...stepRecord(state, batches, outcome, tokens.length), ...fate });
        const { kept, keptResponse, eligible } = outcome;
        const keptShare = eligible > 0 ? keptResponse / eligible : 0;
        return learner.record(metrics, { rows: rowsOf(batches), trained: kept, tokens: tokensOf(batches), keptShare });
      },
    };
    return { ...arm, finish: () => finish(options, arm) };
  } catch (error) {
    dispose();
    throw error;
  }
}

function learnerOptions(opening: ArmOpening<FinetuneConfig>, state: TrainingState, rule: TokenRule) {
  const { config, reporter } = opening;
  return {
    ...learnerSettings(opening),
    state,
    pass: { gradientCheckpointing: config.training.gradientCheckpointing },
    watch: everyWatch(state.model.config.vocabularySize),
    onTheWay: config.evaluation.generate ? config.evaluation.onTheWay : undefined, // there is nothing to leave out
    evaluate(repeatable: boolean, part: EvaluationPart) {
      if (state.step === 0 && rule.name === "sstoken" && !rule.needs.includes("historyNll"))
        reporter.note("Without a history model ssToken chooses by attention on the prompt alone.");
      return evaluate(opening, state, repeatable, part);
    },
  };
}

type Trained = Pick<FinetuneArm, "rule" | "learner">;

async function finish(opening: ArmOpening<FinetuneConfig>, arm: Trained): Promise<void> {
  const { config, run, command, name, inputs } = opening;
  const { state } = arm.learner;
  const end = await arm.learner.finish();
  writeLastProblems(run, end);
  await writePictures(opening, arm);
  const about = { steps: state.step, command, chatTemplate: inputs.chatTemplate };
  await saveTrained(run, state.model, modelCard(config, state.model, about), config.save);
  const summary = {
    ...{ method: arm.rule.name, name, engine: engineText(inputs.engine) },
    ...summaryEnd(end),
    ...noiseOf(run.metrics.records()),
  };
  run.writeFile("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
}

/** How the tokens dropped in the whole run agree with the noise labels. */
function noiseOf(records: readonly Readonly<Record<string, unknown>>[]): { noise?: NoiseGrade } {
  if (records[0]?.["noiseTokens"] === undefined) return {};
  const counts = (records as unknown as readonly StepRecord[]).map((step) => ({
    tokens: step.responseTokens,
    dropped: step.responseTokens - step.keptTokens,
    noise: step["noiseTokens"]!,
    hits: step["noiseDropped"]!,
  }));
  return { noise: combineGrades(counts) };
}
