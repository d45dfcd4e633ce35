import type { FinetuneConfig } from "./config-schema.ts";
import { rowsOfStep, splitMicroBatches, type TokenizedDataset } from "../../data/index.ts";
import { estimateTrainingMemory, type DecoderConfig, type TrainingMemory } from "../../model/index.ts";
import { stepsOf } from "./rules.ts";

const stepsLookedAt = 2000;

/** Estimates the memory of a fine-tuning run from its largest micro-batch (of the first two thousand steps). */
export function estimateRunMemory(
  config: FinetuneConfig,
  shape: DecoderConfig,
  tokens: TokenizedDataset,
): TrainingMemory {
  const { batchSize, microBatchSize = batchSize, seed, gradientCheckpointing } = config.training;
  let largest = { tokens: 0, responseTokens: 0 };
  for (let step = 0; step < Math.min(stepsOf(config, tokens), stepsLookedAt); step++) {
    const rows = rowsOfStep(tokens, { seed, batchSize, shuffle: config.data.shuffle }, step);
    for (const part of splitMicroBatches(tokens, rows, microBatchSize)) {
      const count = part.reduce((sum, row) => sum + tokens.lengthOf(row), 0);
      if (count <= largest.tokens) continue;
      const responseTokens = part.reduce((sum, row) => sum + tokens.row(row).response.reduce((a, b) => a + b, 0), 0);
      largest = { tokens: count, responseTokens };
    }
  }
  return estimateTrainingMemory(shape, {
    ...largest,
    gradientCheckpointing,
    accumulates: microBatchSize < batchSize,
    copies: Number(config.history.source === "ema") + Number(config.selfEvolving !== undefined),
    ...(config.adapter !== undefined && { adapter: config.adapter }),
  });
}
