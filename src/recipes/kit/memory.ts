import { microBatchesOfStep } from "../../data/batches.ts";
import type { TokenizedDataset, TokenView } from "../../data/tokenized.ts";
import type { TrainingMemory, TrainingMemoryOptions } from "../../model/memory.ts";
import { UserError } from "../../system/errors.ts";
import { memoryOfProcess } from "../../system/process-memory.ts";
import type { EngineInfo } from "../../tensor/engine.ts";
import type { RunInputs } from "./inputs.ts";
import { orderOf, type TrainingOverRows } from "./row-order.ts";

/** What an estimate is made from. */
export type MemoryInputs = Pick<RunInputs, "shape" | "storedBytes" | "tokens">;

/** What a run of a configuration holds at once, on the cpu engine. */
export interface MemoryPlan<Config> {
  estimate(config: Config): TrainingMemory;
  /** Whether the estimate is of the run itself, or of the least that it can be: lengths of answers to come are unknown. */
  bound: "about" | "at least";
  /** Changes that need less, each as it would be typed after `--set`. */
  savings(config: Config): readonly Saving<Config>[];
}

export interface Saving<Config> {
  settings: string;
  config: Config;
}

const [stepsLookedAt, rowsLookedAt] = [2000, 200_000];

/** The largest micro-batch of the first two thousand steps, or of the first that have two hundred thousand rows. */
export function largestMicroBatch(
  tokens: TokenizedDataset,
  config: TrainingOverRows,
  steps: number,
): Pick<TrainingMemoryOptions, "tokens" | "responseTokens"> {
  const order = orderOf(config);
  let largest = { tokens: 0, responseTokens: 0 };
  let rows = 0;
  for (let step = 0; step < Math.min(steps, stepsLookedAt) && rows < rowsLookedAt; step++) {
    for (const part of microBatchesOfStep(tokens, order, step)) {
      rows += part.length;
      const count = part.reduce((sum, row) => sum + tokens.lengthOf(row), 0);
      if (count <= largest.tokens) continue;
      const responseTokens = part.reduce((sum, row) => sum + predictedTokens(tokens.row(row)), 0);
      largest = { tokens: count, responseTokens };
    }
  }
  return largest;
}

/** Tokens that train: those of responses, and of prompts that have a weight. */
function predictedTokens({ response, dataWeights }: TokenView): number {
  return response.reduce((sum, mark, t) => sum + Number(mark === 1 || (dataWeights?.[t] ?? 0) !== 0), 0);
}

/** Tokens of an average prompt, for runs whose responses are still to be drawn. */
export function meanPrompt({ stats, length }: TokenizedDataset): number {
  return Math.ceil((stats.tokens - stats.responseTokens) / length);
}

/** Rows, or packed rows, computed one at a time. */
export function oneRowAtOnce<Config extends Pick<TrainingOverRows, "training">>(config: Config): Saving<Config>[] {
  const { training } = config;
  if ((training.microBatchSize ?? training.batchSize) === 1) return [];
  return [
    { settings: "training.microBatchSize=1", config: { ...config, training: { ...training, microBatchSize: 1 } } },
  ];
}

/** Activations computed a second time in the backward pass. */
export function activationsTwice<Config extends { training: { gradientCheckpointing: boolean } }>(
  config: Config,
): Saving<Config>[] {
  const { training } = config;
  if (training.gradientCheckpointing) return [];
  const changed = { ...config, training: { ...training, gradientCheckpointing: true } };
  return [{ settings: "training.gradientCheckpointing=true", config: changed }];
}

/** The adapter of a configuration that says `adapter.rank=16` and nothing else of it. */
export const plainAdapter = { rank: 16 };

/** A dry run's lines on memory. */
export function memoryLines<Config>(config: Config, { estimate, bound }: MemoryPlan<Config>): string[] {
  const memory = estimate(config);
  const room = memoryOfProcess();
  return [
    `Memory: ${bound} ${gigabytes(memory.peak)} on the cpu engine; ${partsOf(memory)}`,
    ...(memory.peak > room ? [`That is more than the ${gigabytes(room)} that this process can have.`] : []),
  ];
}

/**
 * Refuses a run that is known not to fit, before it fills the memory. Other engines than `cpu` hold their numbers
 * elsewhere: they are let pass.
 * @param options.allow start it all the same (`--allow-memory`)
 * @param options.room bytes that the process can have
 * @throws UserError with the estimate, the room and the settings that would fit
 */
export function requireMemory<Config>(
  config: Config,
  { estimate, bound, savings }: MemoryPlan<Config>,
  { engine, allow, room = memoryOfProcess() }: { engine: Pick<EngineInfo, "name">; allow: boolean; room?: number },
): void {
  if (allow || engine.name !== "cpu") return;
  const memory = estimate(config);
  if (memory.peak <= room) return;
  const fitting = savings(config).flatMap((saving) => {
    const { peak } = estimate(saving.config);
    return peak <= room ? [`--set ${saving.settings} (${bound} ${gigabytes(peak)})`] : [];
  });
  const change =
    fitting.length > 0
      ? `It would fit with ${fitting.join(", or ")}.`
      : "Take a smaller model, shorter rows (data.maxTokens), or a machine with more memory.";
  throw new UserError(
    "too-little-memory",
    `the run needs ${bound} ${gigabytes(memory.peak)} of memory (${partsOf(memory)}), ` +
      `more than the ${gigabytes(room)} that this process can have`,
    { fix: `${change} --allow-memory starts it all the same.` },
  );
}

function partsOf({ weights, files, moments, gradients, activations }: TrainingMemory): string {
  const parts = { weights, ...(files > 0 && { "weights in their files": files }), moments, gradients, activations };
  return Object.entries(parts)
    .map(([name, bytes]) => `${name} ${gigabytes(bytes)}`)
    .join(", ");
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
