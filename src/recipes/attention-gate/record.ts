import { join } from "node:path";
import { gateEviction, keepEverything, saveGates } from "../../eviction/index.ts";
import { engineText } from "../../tensor/engine.ts";
import { checkpointSteps, saveCheckpoint, type ObjectiveOutcome } from "../../training/index.ts";
import { cardText, shownFiles, shownPath } from "../kit/card.ts";
import { saveTrained } from "../kit/save-trained.ts";
import { Interrupted, stoppable } from "../kit/reporter.ts";
import { answerOverEach, baselineEvictions, type CacheResult } from "./answers.ts";
import { evaluateLosses } from "./losses.ts";
import { joinCounts } from "./objective.ts";
import { pictureGates } from "./pictures.ts";
import type { GateStep, GateWork } from "./work.ts";

/** Evaluates losses as they are now, and writes them to the run folder. */
export async function evaluate(work: GateWork): Promise<void> {
  const { run, state, interrupted } = work;
  const again = state.step === 0 || checkpointSteps(run.checkpoints).includes(state.step);
  const talk = again ? stoppable(work.talk, interrupted) : work.talk;
  const losses = await evaluateLosses(work, (done, total) => talk.working("evaluating", done, total));
  if (losses !== undefined) run.evaluation.append({ step: state.step, ...losses });
}

export function recorder(work: GateWork): {
  record(step: GateStep, outcome: ObjectiveOutcome, update: { gradNorm: number; learningRate: number }): Promise<void>;
  finish(): Promise<void>;
} {
  const { config, run, state, talk, interrupted, totalSteps, gates } = work;
  const { saveEvery, evaluateEvery, keepCheckpoints } = config.training;
  let seconds = run.timing.records().reduce((sum, { seconds }) => sum + Number(seconds), 0);
  let before = performance.now();
  const save = async (): Promise<void> => {
    run.sync();
    await saveCheckpoint(run.checkpoints, state, { identity: work.materials.identity, keep: keepCheckpoints });
  };
  return {
    async record(step, { loss, parts, metrics }, update) {
      const spent = (performance.now() - before) / 1000;
      seconds += spent;
      const counts = joinCounts(metrics);
      const mean = (key: string): number => metrics.reduce((sum, part) => sum + part[key]!, 0) / metrics.length;
      const evicted = gates && {
        evictionLoss: parts["eviction"] ?? 0,
        ...{ target: mean("target"), keepShare: 1 - counts.evicted, keepProbability: mean("probability") },
        ...counts,
      };
      run.metrics.append({
        step: state.step,
        epoch: state.samplesSeen / work.materials.tokens.length,
        loss,
        nll: parts["nll"] ?? 0,
        ...evicted,
        ...update,
        tokens: step.tokens,
        trainedTokens: state.trainedTokens,
        samplesSeen: state.samplesSeen,
      });
      run.timing.append({
        step: state.step,
        seconds: spent,
        tokensPerSecond: step.tokens / spent,
        memoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
        time: new Date().toISOString(),
      });
      const shown = { step: state.step, loss, keptShare: evicted?.keepShare ?? 1 };
      talk.step(shown, totalSteps, step.tokens / spent);
      const last = state.step === totalSteps;
      const due = (every: number): boolean => every > 0 && state.step % every === 0;
      if (due(evaluateEvery) && !last) await evaluate(work);
      if (due(saveEvery) || (saveEvery > 0 && last) || interrupted()) await save();
      if (interrupted())
        throw new Interrupted(`Stopped after step ${state.step} of ${totalSteps}; the state is saved.`);
      before = performance.now();
    },
    async finish() {
      if (!run.evaluation.records().some(({ step }) => step === state.step)) await evaluate(work);
      const answers = await answerAll(work);
      if (gates) {
        const pictures = { method: "attention-gate", step: state.step, rows: await pictureGates(work) };
        run.writeFile("tokens.json", `${JSON.stringify(pictures)}\n`);
      }
      await saveAll(work);
      const summary = {
        method: "attention-gate",
        name: work.name,
        engine: engineText(work.materials.engine),
        steps: state.step,
        trainedTokens: state.trainedTokens,
        seconds,
        answers,
      };
      run.writeFile("summary.json", `${JSON.stringify(summary, null, 2)}\n`);
    },
  };
}

/** Answers over the caches that this arm stands for: the gates', or those of the baselines; and over all entries. */
async function answerAll(work: GateWork): Promise<CacheResult[]> {
  const { config, model, gates, talk, interrupted, budget, run, state } = work;
  const { sinks, window, threshold } = config.gates;
  const evictions = gates
    ? [gateEviction(model, gates, { sinks, window, threshold }), keepEverything(model)]
    : baselineEvictions(model, config, budget);
  const again = checkpointSteps(run.checkpoints).includes(state.step);
  const { working } = again ? stoppable(talk, interrupted) : talk;
  return answerOverEach(evictions, { ...work, working });
}

/** Writes the gates first: saving an adapted model merges it. */
async function saveAll({ run, config, model, gates, state, command, name }: GateWork): Promise<void> {
  const { sinks, window, threshold, rows } = config.gates;
  const facts = [
    `Start: ${shownPath(config.model)}`,
    `Data: ${shownFiles(config.data.train)}`,
    `Arm: ${name}`,
    `Eviction loss: ${JSON.stringify(config.eviction)}`,
    `${state.step} steps of ${config.training.batchSize} rows, seed ${config.training.seed}`,
  ];
  if (gates)
    await saveGates(gates, model, join(run.path, "gates"), {
      card: cardText("Gates that evict from a key-value cache, trained with tokensift", facts, command),
      use: { sinks, window, threshold, rows },
    });
  if (config.mode === "pretrain") return; // the model is the one it started from
  await saveTrained(run, model, cardText("A model trained with tokensift", facts, command));
}
