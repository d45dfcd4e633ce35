import type { OrealLearner } from "./config-schema.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { outcomeNotes } from "../../reward/index.ts";
import { verifier } from "../../text/index.ts";
import { adamW, newTrainingState, optimizerCompanion } from "../../training/index.ts";
import { policyStep, rewardStep, schedule } from "../../training/index.ts";
import type { AdamWOptions, Optimizer, OutcomeStepOptions } from "../../training/index.ts";
import { continued } from "../kit/continued.ts";
import { questionsOf } from "../kit/responses/index.ts";
import { stoppable, type ArmTalk } from "../kit/reporter.ts";
import { keepResponses, weighResponses } from "./kept.ts";
import { openModels } from "./models.ts";
import { settingsOf } from "./objective.ts";
import { evaluate, recorder, stopSafely } from "./record.ts";
import { drawRollouts } from "./rollouts.ts";
import { readTrajectories } from "./trajectories.ts";
import type { ArmWork, Learner, OrealArm, OrealArmOptions } from "./work.ts";

/** Readies a run: models, optimizers, questions; continues a checkpoint or evaluates the starting model. */
export async function openOrealArm(options: OrealArmOptions): Promise<OrealArm> {
  const { config, materials, talk } = options;
  const disposals: (() => void)[] = [];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const models = await openModels(config, materials, talk);
    disposals.push(models.dispose);
    const judge = verifier(config.verifier);
    disposals.push(() => void judge.close());
    const rewardOptimizer = models.reward && adamW(models.reward.parameters, adamOptions(config.rewardModel!));
    if (rewardOptimizer) disposals.push(rewardOptimizer.dispose);
    const companions = models.reward ? [models.reward, optimizerCompanion(rewardOptimizer!)] : [];
    const state = newTrainingState(models.policy, undefined, { optimizer: adamOptions(config.policy), companions });
    disposals.push(state.optimizer.dispose);
    const { iterations, policySteps, policyFreeze = 0, rewardSteps = 1 } = config.training;
    const { tokenizer } = models.policy;
    const { validation } = materials;
    const work: ArmWork = {
      ...options,
      ...{ models, state, verify: judge.verify },
      settings: settingsOf(config.objective, config.verifier.failed),
      policy: learnerOf(config.policy, state.optimizer, iterations, { steps: policySteps, rests: policyFreeze }),
      reward:
        rewardOptimizer &&
        learnerOf(config.rewardModel!, rewardOptimizer, iterations, { steps: rewardSteps, rests: 0 }),
      questions: await questionsOf(materials.tokens, tokenizer, materials.trainingAnswersOf),
      held: validation ? await questionsOf(validation, tokenizer, materials.answersOf, config.evaluation.rows) : [],
    };
    await begin(work);
    return { name: options.name, ...steps(work), ...recorder(work), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function adamOptions({ beta1, beta2, epsilon, weightDecay }: OrealLearner): AdamWOptions {
  return { beta1, beta2, epsilon, weightDecay };
}

function learnerOf(
  { learningRate, schedule: kind, warmupSteps = 0, minimumLearningRate, clipNorm }: OrealLearner,
  optimizer: Optimizer,
  iterations: number,
  turns: Pick<Learner, "steps" | "rests">,
): Learner {
  const totalSteps = (iterations - turns.rests) * turns.steps;
  const rate = schedule({ kind, learningRate, totalSteps, warmupSteps, minimumLearningRate });
  return { optimizer, rate, clipNorm, ...turns };
}

/** Restores the newest checkpoint if the run is to be continued and has one; else starts it. */
async function begin(work: ArmWork): Promise<void> {
  const { talk, settings, config } = work;
  for (const note of outcomeNotes(settings, config.training.policySteps)) talk.note(note);
  if (!(await continued(work, "iteration"))) await evaluate(work);
}

function steps(work: ArmWork): Omit<OrealArm, "name" | "record" | "finish" | "dispose"> {
  const { config, models, state, settings, replay, questions, verify } = work;
  const { seed, microBatchSize, iterations } = config.training;
  const note = first(work.talk.note);
  return {
    *iterations() {
      while (state.step < iterations) yield state.step;
    },
    sample: (iteration) =>
      stopSafely(work, async () => {
        if (replay !== undefined)
          return readTrajectories(replay, iteration, { ...models.policy.config, questions, note });
        const onProgress = whenSlow(stoppable(work.talk, work.interrupted), work.interrupted);
        return drawRollouts(models.policy, { questions, config, verify, iteration, onProgress });
      }),
    keep(rollouts) {
      const { tolerance } = config.objective;
      return keepResponses(rollouts, settings, { tolerance, seed, rowsAtOnce: microBatchSize });
    },
    weigh(kept) {
      const shuffled = config.objective.weights.source === "shuffled";
      return weighResponses(kept, models, settings, { shuffled, seed });
    },
    teachRewardModel({ batches, rollouts }) {
      const { reward } = models;
      const scoreAt = settings.weights === "one" ? undefined : settings.weights.scoreAt;
      if (reward === undefined) return Promise.resolve([]);
      return repeat(work.reward!, rollouts.iteration, batches.length, (step) =>
        rewardStep(reward, work.reward!.optimizer, batches, { ...step, ...(scoreAt && { scoreAt }) }),
      );
    },
    teachPolicy({ batches, rollouts }) {
      return repeat(work.policy, rollouts.iteration, batches.length, (step) =>
        policyStep(models.policy, work.policy.optimizer, batches, { ...step, objective: settings.policy }),
      );
    },
  };
}

/** The optimizer steps of one iteration; none while the learner rests or there is nothing to learn from. */
async function repeat<T>(
  { rate, clipNorm, steps, rests }: Learner,
  iteration: number,
  batches: number,
  take: (step: OutcomeStepOptions) => Promise<T>,
): Promise<T[]> {
  const taken: T[] = [];
  if (iteration < rests || batches === 0) return taken;
  for (let s = 0; s < steps; s++) {
    const number = (iteration - rests) * steps + s;
    taken.push(await take({ learningRate: rate(number), clipNorm, step: iteration + 1, dropoutStep: number }));
    await letEventsIn();
  }
  return taken;
}

/** Passes the first sentence on, and none after it. */
function first(tell: (sentence: string) => void): (sentence: string) => void {
  let told = false;
  return (sentence) => {
    if (!told) tell(sentence);
    told = true;
  };
}

const slowMilliseconds = 5000;

/** Says how far the drawing is where it takes long; notices a request to stop at once. */
function whenSlow(talk: ArmTalk, interrupted: () => boolean): (done: number, total: number) => void {
  const start = performance.now();
  let slow = false;
  return (done, total) => {
    slow ||= interrupted() || performance.now() - start > slowMilliseconds;
    if (slow) talk.working("drawing responses", done, total);
  };
}
