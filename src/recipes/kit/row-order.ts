import type { TrainingConfig } from "../../config/index.ts";
import type { MicroBatchOptions } from "../../data/batches.ts";
import type { Orderable } from "../../data/epoch-order.ts";
import { packedLength, packedRows } from "../../data/packed-rows.ts";

type Length = Pick<TrainingConfig, "steps" | "epochs" | "batchSize">;

/** Optimizer steps that a `training` group stands for over so many rows. */
export function trainingSteps({ steps, epochs, batchSize }: Length, rows: number): number {
  return steps ?? stepsFor(epochs! * rows, batchSize);
}

function stepsFor(rows: number, batchSize: number): number {
  return Math.max(1, Math.ceil(rows / batchSize));
}

/** The part of a configuration that decides which rows are computed when, and at once. */
export interface TrainingOverRows {
  training: Length & { microBatchSize?: number | undefined; seed: number };
  data: { shuffle: boolean; packing?: boolean; maxTokens: number };
}

/** The order in which a configuration's rows are trained. */
export function orderOf({ training, data }: TrainingOverRows): MicroBatchOptions {
  const { seed, batchSize, microBatchSize } = training;
  const { shuffle, packing, maxTokens } = data;
  return { seed, batchSize, microBatchSize, shuffle, ...(packing === true && { packing: maxTokens }) };
}

/** Optimizer steps of a configuration over a dataset, whose packed rows are counted where rows are packed. */
export function stepsOver(config: TrainingOverRows, tokens: Orderable): number {
  const { steps, epochs, batchSize } = config.training;
  return steps ?? stepsFor(rowsDealt(config, tokens, epochs!), batchSize);
}

/** What an optimizer step takes its rows from, in so many epochs: rows, or packed rows. */
export function rowsDealt(config: TrainingOverRows, tokens: Orderable, epochs: number): number {
  const { packing, ...order } = orderOf(config);
  return packing === undefined ? epochs * tokens.length : packedLength(tokens, { ...order, packing }, epochs);
}

/** How a configuration's rows are counted in its texts: `16 rows`, `4 packed rows of at most 1024 tokens`. */
export function countedRows(count: number, { packing = false, maxTokens }: TrainingOverRows["data"]): string {
  return packing ? `${count} packed rows of at most ${maxTokens} tokens` : `${count} rows`;
}

/** How well the first epoch's rows are packed, in a sentence. */
export function packingNote({ shuffle, maxTokens }: TrainingOverRows["data"], seed: number, tokens: Orderable): string {
  const options = { seed, shuffle, packing: maxTokens };
  const packed = packedRows(tokens, options, 0, packedLength(tokens, options, 1));
  const filled = packed.flat().reduce((sum, row) => sum + tokens.lengthOf(row), 0);
  const share = ((100 * filled) / (packed.length * maxTokens)).toFixed(1);
  return `${tokens.length} rows are packed into ${packed.length} of at most ${maxTokens} tokens, which are ${share} % full.`;
}
