import type { TokenBatch } from "../../contract/index.ts";
import type { Decoder } from "../../model/decoder.ts";
import { chooseResponses, type ChoiceOptions } from "../../reward/choose-responses.ts";
import { outcomeNotes, type OutcomeSettings } from "../../reward/outcome-presets.ts";
import type { PolicyAux } from "../../reward/policy-objective.ts";
import type { TokenWeightOptions } from "../../reward/token-weights.ts";
import { type ErrorCode, UserError } from "../../system/errors.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { Outage } from "../../system/outage.ts";
import { verifier } from "../../text/index.ts";
import { adamW } from "../../training/optimizer.ts";
import { createLearner, type Learner, type LearnerOptions } from "../../training/learner.ts";
import { newTrainingState, type TrainingState } from "../../training/state.ts";
import { openLearner, type RunLearner } from "../../training/open-learner.ts";
import type { RunLearnerOptions } from "../../training/run-learner-options.ts";
import { optimizerCompanion } from "../../training/optimizer-state.ts";
import type { StepBatch } from "../../training/step.ts";
import { klToReference, type ComparedBatch } from "../kit/distance.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { stoppable } from "../kit/reporter.ts";
import { optimizerOptions, savingSettings } from "../kit/training-settings.ts";
import { questionsOf, type Verify } from "../kit/responses/index.ts";
import { columnOf, drawnLogProb, keptBatches, type Worth } from "./batches.ts";
import type { OrealConfig } from "./config-schema.ts";
import { readsInitial } from "./arm-config.ts";
import { evaluateAnswers } from "../kit/answer-evaluation.ts";
import { writeResults } from "./finish.ts";
import { fatesOf, metricsOf, type Iteration } from "./iteration.ts";
import { paceOf } from "./learning.ts";
import { openModels } from "./models.ts";
import { settingsOf } from "./objective.ts";
import { questionsByPassRate } from "./pass-rates.ts";
import { openRewards, type RewardedRollouts } from "./rewards.ts";
import { rolloutSource, type OrealOpening } from "./rollout-source.ts";
import type { Rollouts } from "./rollouts.ts";
import { writeTrajectories } from "./trajectories.ts";
import { openWeights, type Weigh } from "./weights/open.ts";
import { warningWatch } from "./warnings.ts";

/** One run of a comparison: an objective, a starting model, a folder. Iterations count from 0. */
export interface OrealArm {
  readonly name: string;
  /** Rewards, advantages, filter and terms, as the functions of the reward folder take them. */
  readonly settings: OutcomeSettings;
  /** Which responses are learnt from, as `chooseResponses` takes it. */
  readonly chooses: Required<Omit<ChoiceOptions, "iteration">>;
  /** The policy with its optimizer. It writes the run folder; its steps are iterations. */
  readonly policy: RunLearner;
  /** Where token weights are learned. */
  readonly reward: RewardLearner | undefined;
  /** Gives the kept responses token weights that no reward model learns; where there are none such, leaves them as they are. */
  readonly weigh: Weigh;
  /** What the KL term stays near: the policy that draws (`old`), or the model before training; undefined without it. */
  readonly reference: "old" | Decoder | undefined;
  /**
   * Responses of the policy as it is, or those of an earlier run; judged and rewarded. A request to stop is obeyed while it
   * draws.
   */
  sample(iteration: number): Promise<RewardedRollouts>;
  /** The kept responses in micro-batches; `rowIds` are places in `rollouts.responses`. None where nothing is kept. */
  batches(rollouts: Rollouts, worth: Worth): StepBatch<PolicyAux>[];
  /** Log-probabilities `[rows * width]` under the policy that drew the responses, where a replayed run has stored them. */
  drawnLogProb(rollouts: Rollouts, batch: TokenBatch): Float32Array | undefined;
  /**
   * Numbers of the policy's optimizer steps in an iteration; none while it is frozen, without a batch, or once it is as far
   * from the model before training as `training.stopAtKl` says.
   */
  policySteps(iteration: number, batches: readonly ComparedBatch[]): number[];
  /** Writes the iteration to the run folder; evaluates and saves a checkpoint when they are due. */
  record(iteration: Iteration): Promise<void>;
  /** Evaluates, and writes the models and the summary. */
  finish(): Promise<void>;
  dispose(): void;
}

/** A token reward model in training. */
export interface RewardLearner {
  readonly learner: Learner;
  /** How its scores become token weights. */
  readonly weights: TokenWeightOptions;
  /** The control: the same weights, shuffled within each response. */
  readonly shuffled: boolean;
  /** Of the control: scaled to push as hard as before, instead of having the same sum. */
  readonly equalPush: boolean;
  /** Numbers of its optimizer steps in an iteration; none without a batch. */
  steps(iteration: number, batches: readonly unknown[]): number[];
}

/** Readies an arm: models, optimizers, questions; continues a checkpoint or evaluates the starting model. */
export async function openArm(opening: OrealOpening): Promise<OrealArm> {
  const { config, inputs, reporter, name, run } = opening;
  const { objective, training } = config;
  listedPlaces(config.report, inputs.tokens, "data.train"); // a question that is not there is refused now
  const disposals: (() => void)[] = [];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const models = await openModels(config, inputs, reporter);
    disposals.push(models.dispose);
    const { verify, close } = verifier(config.verifier);
    disposals.push(() => void close());
    const settings = settingsOf(objective, config);
    const reward = openReward(config, models, settings, {
      disposals,
      onNotFinite: (found) => policy.guard.gradient(found, "the gradient of the reward model"),
    });
    const state = newTrainingState(models.policy, undefined, {
      optimizer: optimizerOptions(config.policy),
      companions: models.reward && reward ? [models.reward, optimizerCompanion(reward.learner.optimizer)] : [],
    });
    disposals.push(state.optimizer.dispose);
    for (const note of outcomeNotes(settings, training.policySteps)) reporter.note(note);
    const pace = paceOf(config.policy, training.iterations, {
      steps: training.policySteps,
      rests: training.policyFreeze ?? 0,
    });
    const { tokenizer } = models.policy;
    const questions = await questionsOf(inputs.tokens, tokenizer, inputs.trainingAnswersOf);
    const judge = await openRewards({
      ...{ rewards: config.rewards, verdicts: settings.rewards, unfinished: config.verifier.unfinished },
      ...{ questions, tokenizer },
      judges: { run: run.path, interrupted: opening.interrupted, note: reporter.note },
    });
    disposals.push(() => void judge.close());
    const weigh = await openWeights(objective.weights, {
      ...{ seed: training.seed, toInitial: readsInitial(objective), models },
    });
    const { passRates, dynamic, questionsPerStep } = config.sampling;
    const { vocabularySize } = models.policy.config;
    const asked = passRates
      ? questionsByPassRate(questions, passRates, { vocabularySize, note: reporter.note })
      : questions;
    const drawsOn = dynamic !== undefined && settings.keep !== "none";
    const chooses = {
      ...{ keep: settings.keep, tolerance: objective.tolerance, seed: training.seed },
      atMost: drawsOn ? questionsPerStep : Infinity,
    };
    const draw = rolloutSource(models.policy, opening, {
      ...{ questions: asked, verify, reward: judge.reward },
      rounds: drawsOn ? dynamic.maxRounds : 1,
      enough: ({ iteration, outcomes }) =>
        chooseResponses(outcomes, { ...chooses, iteration }).questions.kept >= questionsPerStep,
    });
    const policy: RunLearner = await openLearner(models.policy, {
      ...pace,
      ...(await learnerOptions(opening, state, verify)),
      alsoTrained: reward ? [reward.learner.optimizer] : [],
    });
    const { stopAtKl: farthest = Infinity } = training;
    const toOld = settings.reference === "old" && objective.klCoefficient > 0;
    return {
      ...{ name, settings, policy, reward, weigh, dispose },
      chooses,
      reference: toOld ? "old" : models.initial,
      sample: (iteration) => stoppedSafely(policy, () => draw(iteration)),
      batches(rollouts, worth) {
        const batches = keptBatches(rollouts, worth, training.microBatchSize);
        const { advantageColumn } = objective;
        if (advantageColumn === undefined) return batches;
        return batches.map(({ batch, aux }) => ({
          batch,
          aux: { ...aux, tokenAdvantages: columnOf(rollouts, advantageColumn, batch) },
        }));
      },
      drawnLogProb,
      policySteps: (iteration, batches) => (klToReference(batches) >= farthest ? [] : pace.stepsOf(iteration, batches)),
      record(iteration) {
        const { rollouts, moved } = iteration;
        const metrics = metricsOf(iteration, {
          learns: reward !== undefined,
          toInitial: readsInitial(objective),
          clips: objective.clip !== undefined,
          weighs: objective.weights.source !== "none",
          drawsOn,
        });
        for (const file of writeTrajectories(run.path, rollouts, fatesOf(iteration))) run.records.add(file);
        return policy.record(metrics, {
          rows: metrics.responses,
          trained: moved.length > 0 ? metrics.keptTokens : 0,
          keptShare: metrics.keptResponses / metrics.responses,
          timing: { sampledTokensPerSecond: rollouts.pace ? rollouts.pace.newTokens / rollouts.pace.seconds : 0 },
        });
      },
      async finish() {
        await writeResults({ opening, models, state, end: await policy.finish() });
      },
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function openReward(
  { rewardModel, training, objective }: OrealConfig,
  { reward: model }: Pick<Awaited<ReturnType<typeof openModels>>, "reward">,
  { weights }: OutcomeSettings,
  { disposals, onNotFinite }: { disposals: (() => void)[]; onNotFinite: LearnerOptions["onNotFinite"] },
): RewardLearner | undefined {
  if (model === undefined || rewardModel === undefined || weights === "one") return undefined;
  const optimizer = adamW(model.parameters, optimizerOptions(rewardModel));
  disposals.push(optimizer.dispose);
  const { stepsOf, ...pace } = paceOf(rewardModel, training.iterations, { steps: training.rewardSteps ?? 1, rests: 0 });
  return {
    learner: createLearner(model, { optimizer, ...pace, onNotFinite }),
    weights,
    shuffled: objective.weights.source === "shuffled",
    equalPush: "equal" in objective.weights && objective.weights.equal === "push",
    steps: stepsOf,
  };
}

async function learnerOptions(
  opening: OrealOpening,
  state: TrainingState,
  verify: Verify,
): Promise<Omit<RunLearnerOptions, "schedule">> {
  const { config, inputs, reporter, run, resume, allowChanges, interrupted } = opening;
  const { iterations, evaluateEvery, seed, stopAtKl } = config.training;
  const { validation, identity } = inputs;
  const held = validation
    ? await questionsOf(validation, state.model.tokenizer, inputs.answersOf, config.evaluation.rows)
    : [];
  return {
    ...{ state, run, identity, resume, allowChanges, interrupted, evaluateEvery },
    ...savingSettings(config.training),
    steps: iterations,
    unit: "iteration",
    reporter,
    watch: warningWatch(),
    enough: ({ klToInitial }) => stopAtKl !== undefined && Number(klToInitial) >= stopAtKl,
    onTheWay: config.evaluation.onTheWay,
    async evaluate(repeatable, part) {
      if (validation === undefined || held.length === 0) return undefined;
      const told = repeatable ? stoppable(reporter, interrupted) : reporter;
      const measure = () =>
        evaluateAnswers(state.model, held, validation, {
          ...{ ...config.evaluation, part, verify, seed },
          onProgress: (done, total) => told.working("evaluating", done, total),
        });
      return { ...(state.step === 0 ? await inputs.evaluateStart(measure) : await measure()) };
    },
  };
}

/** What is no fault of the state: it is saved, and the run goes on when that is mended. */
const passing: readonly ErrorCode[] = ["reward-failed", "server-refused", "wrong-policy"];

/**
 * Work that changes nothing and may end with `Interrupted`, at a server, or with a reward that fails: the state before it is
 * then saved. A model that gives no numbers to draw by has diverged.
 */
async function stoppedSafely<T>(learner: RunLearner, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError && error.code === "not-finite") return learner.guard.broken(error.message);
    if (error instanceof Interrupted) return learner.stop();
    if (error instanceof Outage || (error instanceof UserError && passing.includes(error.code)))
      return learner.stop(error);
    throw error;
  }
}
