import * as tf from "@tensorflow/tfjs-core";
import type { SignalSource, TokenBatch, TokenRule } from "../src/contract/index.ts";
import { hashUniform, stream } from "../src/system/random.ts";
import { ssToken } from "../src/selection/index.ts";
import { full } from "../src/selection/full.ts";
import { random } from "../src/selection/random.ts";
import { engineText, useEngine, type EngineOptions } from "../src/tensor/engine.ts";
import { adamW, createLearner, planSignals, ruleStep, type Learner } from "../src/training/index.ts";
import type { Contender } from "./harness/serve.ts";
import { measurePeak } from "./harness/peak.ts";
import { recordKernelTimes } from "./harness/kernel-times.ts";
import { makeModel, type ModelSettings } from "./models.ts";

/** Which tokens of the response a step trains. */
export type Arm = "full" | "random" | "sstoken";

export interface StepSettings extends ModelSettings {
  arm: Arm;
  rows: number;
  /** Tokens of each row, and how many of them are the prompt (at least 1). */
  width: number;
  promptTokens: number;
  threads: number;
  matmul?: NonNullable<EngineOptions["matmul"]>;
  /** Answers hold the milliseconds of each kernel. */
  profile?: boolean;
}

const rules: Readonly<Record<Arm, () => TokenRule>> = {
  full: () => full() as TokenRule,
  random: () => random({ ratio: 0.6 }) as TokenRule,
  sstoken: () => ssToken({ ratio: 0.6 }) as TokenRule,
};

/** The library's own training step on random tokens: forward, weights, backward, clipping, AdamW. Two steps are done. */
export async function contendStep(settings: StepSettings): Promise<Contender> {
  const { threads, matmul = "auto", arm } = settings;
  const engine = await useEngine("cpu", { threads, matmul });
  const peakGflops = await measurePeak(settings);
  const model = await makeModel(settings);
  const rule = rules[arm]();
  const batch = randomBatch(settings, model.config.vocabularySize);
  const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-5 });
  const step = stepper(learner, batch, rule, [knownHistory(batch)]);
  const times = settings.profile === true ? recordKernelTimes(tf.getBackend()) : undefined;
  for (let i = 0; i < 2; i++) await step();
  return {
    about: `tokensift on ${engineText(engine)}`,
    peakGflops,
    async round() {
      times?.clear();
      await step();
      return times === undefined ? {} : { kernels: Object.fromEntries(times) };
    },
  };
}

/** Runs one step after the other on one batch. */
export function stepper(
  learner: Learner,
  batch: TokenBatch,
  rule: TokenRule,
  sources: readonly SignalSource[] = [],
): () => Promise<void> {
  const plan = planSignals(rule, sources);
  let done = 0;
  return async () => {
    const uniform = (rowId: number, token: number): number => hashUniform(1, rowId, token);
    const context = { step: done, samplesSeen: done * batch.rows, uniform };
    await ruleStep(learner, done++, [batch], { rule, plan, context });
  };
}

export function randomBatch(
  { rows, width, promptTokens }: Pick<StepSettings, "rows" | "width" | "promptTokens">,
  vocabulary: number,
): TokenBatch {
  const draw = stream("bench", vocabulary, rows, width);
  const slots = Array.from({ length: rows * width }, (_, i) => i % width);
  return {
    rows,
    width,
    rowIds: Float64Array.from({ length: rows }, (_, row) => row),
    lengths: new Int32Array(rows).fill(width),
    ids: Int32Array.from(slots, () => draw.below(vocabulary)),
    response: Uint8Array.from(slots, (t) => Number(t >= promptTokens)),
    endOfTurn: Uint8Array.from(slots, (t) => Number(t === width - 1)),
    columns: {},
  };
}

/** Losses of the history model as a column that was computed before: what ssToken reads in training. */
function knownHistory({ rows, width }: TokenBatch): SignalSource<"historyNll"> {
  const losses = Float32Array.from({ length: rows * width }, (_, i) => 3 * hashUniform(2, 0, i));
  return {
    gives: ["historyNll"],
    compute: () => Promise.resolve({ historyNll: losses }),
    save: () => ({}),
    restore: () => undefined,
  };
}
