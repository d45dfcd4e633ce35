import type { FinetuneConfig } from "./config-schema.ts";
import { rowsOfStep } from "../../data/index.ts";
import { combineGrades, evaluateModel, type Evaluation, type NoiseGrade } from "../../evaluation/index.ts";
import { createAdapter, isAdapted } from "../../model/index.ts";
import { trainableShare, withAdapter, type Model } from "../../model/index.ts";
import { engineText } from "../../tensor/engine.ts";
import { checkpointSteps, newTrainingState, saveCheckpoint, schedule, type StepRecord } from "../../training/index.ts";
import type { TrainingState, TrainOptions } from "../../training/index.ts";
import { attentionLayerOf, openSources, ruleOf, ruleOfRun, stepsOf } from "./rules.ts";
import { weighRows } from "../kit/token-rows.ts";
import { everyWatch } from "./watches.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { continued } from "../kit/continued.ts";
import type { Materials } from "../kit/inputs.ts";
import { Interrupted, stoppable } from "../kit/reporter.ts";
import { modelCard } from "./card.ts";
import { saveTrained } from "../kit/save-trained.ts";

/** One run of a comparison: a rule, a starting model, a folder. */
export interface Arm {
  readonly name: string;
  readonly state: TrainingState;
  /** What `train` needs. */
  readonly options: TrainOptions;
  /** Writes a step to the run folder; evaluates and saves a checkpoint when they are due. Call it after every step. */
  record(step: StepRecord): Promise<void>;
  /** Evaluates, and writes the model, the token pictures and the summary. */
  finish(): Promise<void>;
  /** Frees the model and everything that was made for this arm. */
  dispose(): void;
}

/** Readies a run: model, rule, signal sources, state; continues a checkpoint or evaluates the starting model. */
export async function openArm(options: ArmOpening<FinetuneConfig>): Promise<Arm> {
  const { config, materials, talk } = options;
  const rule = ruleOfRun(await ruleOf(config.selection, config), config, materials.tokens);
  const trunk = await materials.openModel();
  const disposals = [trunk.dispose];
  const dispose = (): void => disposals.splice(0).forEach((free) => free());
  try {
    const model = await trainedModel(trunk, options);
    if (isAdapted(model)) disposals.unshift(model.dispose);
    const opened = await openSources(rule, model, config, materials, stoppable(talk, options.interrupted));
    disposals.push(opened.dispose);
    const { beta1, beta2, epsilon, weightDecay } = config.training;
    const state = newTrainingState(model, materials.tokens, {
      optimizer: { beta1, beta2, epsilon, weightDecay },
      sources: opened.sources,
    });
    disposals.push(state.optimizer.dispose);
    const train = trainOptions(config, materials, rule);
    const work = { ...options, state, train };
    if (!(await continued(work, "step"))) await begin(work);
    return { name: options.name, state, options: train, ...recorder(work), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** The model itself, or one with a fresh adapter over it. */
async function trainedModel(
  trunk: Model,
  { config: { adapter, training }, talk }: ArmOpening<FinetuneConfig>,
): Promise<Model> {
  if (adapter === undefined) return trunk;
  const model = withAdapter(trunk, await createAdapter(trunk, { ...adapter, seed: training.seed }));
  const { trainable, total, share } = trainableShare(model);
  talk.note(`The adapter has ${trainable} numbers to train, ${(100 * share).toPrecision(3)} % of all ${total}.`);
  return model;
}

function trainOptions(
  { training, data }: FinetuneConfig,
  { tokens }: Materials,
  rule: TrainOptions["rule"],
): TrainOptions {
  const steps = stepsOf({ training }, tokens);
  return {
    tokens,
    rule,
    steps,
    batchSize: training.batchSize,
    microBatchSize: training.microBatchSize ?? training.batchSize,
    gradientCheckpointing: training.gradientCheckpointing,
    clipNorm: training.clipNorm,
    seed: training.seed,
    shuffle: data.shuffle,
    promptAttentionLayer: attentionLayerOf(rule),
    schedule: schedule({
      kind: training.schedule,
      learningRate: training.learningRate,
      totalSteps: steps,
      warmupSteps: training.warmupSteps ?? Math.ceil((training.warmupRatio ?? 0) * steps),
      minimumLearningRate: training.minimumLearningRate,
    }),
  };
}

interface ArmWork extends ArmOpening<FinetuneConfig> {
  readonly state: TrainingState;
  readonly train: TrainOptions;
}

async function begin(work: ArmWork): Promise<void> {
  const { talk, train } = work;
  if (train.rule.name === "sstoken" && !train.rule.needs.includes("historyNll"))
    talk.note("Without a history model ssToken chooses by attention on the prompt alone.");
  await evaluate(work, 0);
}

async function evaluate(work: ArmWork, step: number): Promise<void> {
  const { config, materials, run, state } = work;
  const again = step === 0 || checkpointSteps(run.checkpoints).includes(step);
  const talk = again ? stoppable(work.talk, work.interrupted) : work.talk;
  const { validation, answerOf } = materials;
  if (validation === undefined) return;
  const { batchSize, rows, generate, maxNewTokens } = config.evaluation;
  const measure = (): Promise<Evaluation> =>
    evaluateModel(state.model, validation, {
      batchSize,
      ...(rows !== undefined && { rows }),
      ...(generate && { exactMatch: { maxNewTokens, answerOf } }),
      onProgress: (done, total) => talk.working("evaluating", done, total),
    });
  run.evaluation.append({ step, ...(step === 0 ? await materials.evaluateStart(measure) : await measure()) });
}

function recorder(work: ArmWork): Pick<Arm, "record" | "finish"> {
  const { config, run, state, talk, materials, interrupted } = work;
  const { steps } = work.train;
  const { saveEvery, evaluateEvery, keepCheckpoints } = config.training;
  const watch = everyWatch(state.model.config.vocabularySize);
  const warnings = run.metrics.records().flatMap((step) => watch(step as StepRecord));
  let seconds = run.timing.records().reduce((sum, { seconds }) => sum + Number(seconds), 0);
  let before = performance.now();
  const save = async (): Promise<void> => {
    run.sync();
    await saveCheckpoint(run.checkpoints, state, { identity: materials.identity, keep: keepCheckpoints });
  };
  return {
    async record(step) {
      const spent = (performance.now() - before) / 1000;
      seconds += spent;
      run.metrics.append(step);
      run.timing.append({
        step: step.step,
        seconds: spent,
        tokensPerSecond: step.tokens / spent,
        memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
        time: new Date().toISOString(),
      });
      const news = watch(step);
      warnings.push(...news);
      news.forEach(talk.note);
      talk.step(step, steps, step.tokens / spent);
      const last = step.step === steps;
      const due = (every: number): boolean => every > 0 && step.step % every === 0;
      if (due(evaluateEvery) && !last) await evaluate(work, step.step);
      if (due(saveEvery) || (saveEvery > 0 && last) || interrupted()) await save();
      if (interrupted()) throw new Interrupted(`Stopped after step ${step.step} of ${steps}; the state is saved.`);
      before = performance.now();
    },
    async finish() {
      const evaluated = run.evaluation.records().some(({ step }) => step === state.step); // by a process that ended after it
      if (!evaluated) await evaluate(work, state.step);
      await writeTokens(work);
      await saveTrained(run, state.model, modelCard(config, state.model, state.step, work.command));
      run.writeFile("summary.json", `${JSON.stringify(summary(work, warnings, seconds), null, 2)}\n`);
    },
  };
}

const picturedRows = 8;

async function writeTokens({ train, state, run }: ArmWork): Promise<void> {
  const { rule } = train;
  const rows = [...new Set(rowsOfStep(train.tokens, train, 0))].slice(0, picturedRows);
  const weighed = await weighRows(state.model, train.tokens, rows, {
    rule,
    sources: state.sources,
    promptAttentionLayer: train.promptAttentionLayer ?? -1,
    step: state.step,
    samplesSeen: state.samplesSeen,
    seed: train.seed,
  });
  run.writeFile("tokens.json", `${JSON.stringify({ method: rule.name, step: state.step, rows: weighed })}\n`);
}

function summary({ name, train, run, materials, state }: ArmWork, warnings: string[], seconds: number): object {
  return {
    method: train.rule.name,
    name,
    engine: engineText(materials.engine),
    steps: state.step,
    trainedTokens: state.trainedTokens,
    seconds,
    warnings,
    ...noiseOf(run.metrics.records()),
  };
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
