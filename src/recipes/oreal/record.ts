import { join } from "node:path";
import { stream } from "../../system/random.ts";
import { saveTokenRewardModel } from "../../reward/model/index.ts";
import { engineText } from "../../tensor/engine.ts";
import { checkpointSteps, saveCheckpoint, type PolicyStep, type RewardStep } from "../../training/index.ts";
import { cardText, shownFiles, shownPath } from "../kit/card.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { Interrupted, stoppable } from "../kit/reporter.ts";
import { evaluateAnswers, type AnswerEvaluation } from "./evaluate.ts";
import { fatesOf, responseMetrics, type Weighed } from "./kept.ts";
import { pictureResponses } from "./pictures.ts";
import { writeTrajectories } from "./trajectories.ts";
import { warningLog, type WarningFacts } from "./warnings.ts";
import type { ArmWork, OrealArm } from "./work.ts";

/** Starting evaluations by materials: all arms start from the same model. */
const starts = new WeakMap<object, Promise<AnswerEvaluation>>();

/** Evaluates the policy as it is, and writes that to the run folder. */
export async function evaluate(work: ArmWork): Promise<void> {
  const { config, models, held, run, state, verify, materials, interrupted } = work;
  if (held.length === 0) return;
  const again = state.step === 0 || checkpointSteps(run.checkpoints).includes(state.step);
  const talk = again ? stoppable(work.talk, interrupted) : work.talk;
  const { samples, temperature, maxNewTokens, batchSize } = config.evaluation;
  const seed = stream(config.training.seed, "evaluation").below(2 ** 31);
  const measure = (): Promise<AnswerEvaluation> =>
    evaluateAnswers(models.policy, held, {
      ...{ samples, temperature, maxNewTokens, batchSize, seed, verify },
      onProgress: (done, total) => talk.working("evaluating", done, total),
    });
  let found = state.step === 0 ? starts.get(materials) : undefined;
  found ??= measure();
  if (state.step === 0) starts.set(materials, found);
  run.evaluation.append({ step: state.step, ...(await found) });
}

async function save({ run, state, materials, config }: ArmWork): Promise<void> {
  run.sync();
  await saveCheckpoint(run.checkpoints, state, {
    identity: materials.identity,
    keep: config.training.keepCheckpoints,
  });
}

function stopped({ state, config }: ArmWork): Interrupted {
  return new Interrupted(`Stopped after iteration ${state.step} of ${config.training.iterations}; the state is saved.`);
}

/** Runs work that changes nothing and may be interrupted; the state before it is then saved. */
export async function stopSafely<T>(work: ArmWork, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await save(work);
    throw stopped(work);
  }
}

export function recorder(work: ArmWork): Pick<OrealArm, "record" | "finish"> {
  const { config, run, state, talk, interrupted } = work;
  const { iterations, saveEvery, evaluateEvery } = config.training;
  const warnings = warningLog();
  for (const metrics of run.metrics.records()) warnings.take(metrics as unknown as WarningFacts);
  let seconds = run.timing.records().reduce((sum, { seconds }) => sum + Number(seconds), 0);
  let before = performance.now();
  return {
    async record(weighed, reward, policy) {
      const { rollouts } = weighed;
      const metrics = metricsOf(work, weighed, reward, policy);
      const spent = (performance.now() - before) / 1000;
      seconds += spent;
      writeTrajectories(run.path, rollouts, fatesOf(weighed));
      state.step++;
      state.samplesSeen += metrics.responses;
      state.trainedTokens += policy.length > 0 ? metrics.keptTokens : 0;
      run.metrics.append(metrics);
      const tokensPerSecond = rollouts.pace ? rollouts.pace.newTokens / rollouts.pace.seconds : 0;
      run.timing.append({
        step: state.step,
        seconds: spent,
        sampledTokensPerSecond: tokensPerSecond,
        memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
        time: new Date().toISOString(),
      });
      warnings.take(metrics).forEach(talk.note);
      talk.step({ ...metrics, keptShare: metrics.keptResponses / metrics.responses }, iterations, tokensPerSecond);
      const last = state.step === iterations;
      const due = (every: number): boolean => every > 0 && state.step % every === 0;
      if (due(evaluateEvery) && !last) await evaluate(work);
      if (due(saveEvery) || (saveEvery > 0 && last) || interrupted()) await save(work);
      if (interrupted()) throw stopped(work);
      before = performance.now();
    },
    async finish() {
      if (!run.evaluation.records().some(({ step }) => step === state.step)) await evaluate(work);
      await saveModels(work);
      writePictures(work);
      run.writeFile("summary.json", `${JSON.stringify(summaryOf(work, warnings.all(), seconds), null, 2)}\n`);
    },
  };
}

function writePictures({ run, state, models }: ArmWork): void {
  const { tokenizer, config } = models.policy;
  const rows = pictureResponses(run.path, state.step - 1, { tokenizer, vocabularySize: config.vocabularySize });
  run.writeFile("tokens.json", `${JSON.stringify({ method: "oreal", step: state.step, rows })}\n`);
}

/** Numbers that a rerun reproduces. Of several optimizer steps the first is told, and the KL of the last. */
function metricsOf(
  { policy: learner, reward: judge }: ArmWork,
  weighed: Weighed,
  reward: readonly RewardStep[],
  policy: readonly PolicyStep[],
) {
  const { iteration } = weighed.rollouts;
  const rateOf = ({ rate, rests, steps }: NonNullable<typeof judge>): number => rate((iteration - rests) * steps);
  const [first] = policy;
  const [taught] = reward;
  return {
    step: iteration + 1,
    loss: first?.loss ?? 0,
    ...responseMetrics(weighed),
    ...weighed.means,
    lossPositive: first?.parts["positive"] ?? 0,
    lossNegative: first?.parts["negative"] ?? 0,
    lossKl: first?.parts["kl"] ?? 0,
    kl: policy.at(-1)?.kl ?? 0,
    gradNorm: first?.gradNorm ?? 0,
    learningRate: first ? rateOf(learner) : 0,
    ...(judge && {
      rewardLoss: taught?.loss ?? 0,
      rewardAccuracy: taught?.accuracy ?? 0,
      rewardProbability: taught?.probability ?? 0,
      rewardGradNorm: taught?.gradNorm ?? 0,
      rewardLearningRate: taught ? rateOf(judge) : 0,
    }),
  };
}

/** Writes the reward model first: saving an adapted policy merges it into the trunk below both. */
async function saveModels({ run, config, models, state, command }: ArmWork): Promise<void> {
  const { objective, training, data } = config;
  const facts = (of: string): string[] => [
    `${of} by outcome rewards (OREAL, arXiv 2502.06781)`,
    `Start: ${shownPath(config.model)}`,
    `Questions: ${shownFiles(data.train)}`,
    `Objective: ${JSON.stringify(objective)}`,
    `${state.step} iterations, seed ${training.seed}`,
  ];
  if (models.reward) {
    const card = cardText("A token reward model trained with tokensift", facts("Trained"), command);
    const { weights } = objective;
    const scoreAt = weights.source === "none" ? undefined : weights.scoreAt;
    await saveTokenRewardModel(models.reward, join(run.path, "reward-model"), { card, ...(scoreAt && { scoreAt }) });
  }
  await saveTrained(run, models.policy, cardText("A model trained with tokensift", facts("Trained"), command));
}

function summaryOf({ name, run, materials, state, config }: ArmWork, warnings: string[], seconds: number): object {
  const evaluations = run.evaluation.records();
  const scores = (evaluation: Record<string, unknown> | undefined) =>
    evaluation && { step: evaluation["step"], exactMatch: evaluation["exactMatch"], passAt1: evaluation["passAt1"] };
  const drawn = run.metrics.records().reduce((sum, { responses }) => sum + Number(responses), 0);
  return {
    method: "oreal",
    name,
    preset: config.objective.preset,
    engine: engineText(materials.engine),
    steps: state.step,
    responses: drawn,
    trainedTokens: state.trainedTokens,
    seconds,
    warnings,
    start: scores(evaluations.find(({ step }) => step === 0)),
    end: scores(evaluations.at(-1)),
  };
}
