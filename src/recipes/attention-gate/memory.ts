import { estimateTrainingMemory } from "../../model/memory.ts";
import { largestMicroBatch, oneRowAtOnce, plainAdapter, type MemoryInputs, type MemoryPlan } from "../kit/memory.ts";
import { stepsOver } from "../kit/row-order.ts";
import { adapterOptions, storedUnder } from "../kit/adapter.ts";
import type { AttentionGateConfig } from "./config-schema.ts";

/** Where the gates alone are trained: as much as the smallest adapter. */
const gatesAlone = { adapter: { rank: 1 } };

/** The memory of a run of Attention-Gate: that of fine-tuning, without what the gates themselves hold. */
export function gateMemory(inputs: MemoryInputs): MemoryPlan<AttentionGateConfig> {
  const { shape, tokens } = inputs;
  return {
    bound: "at least",
    estimate(config) {
      const { batchSize, microBatchSize = batchSize } = config.training;
      const adapter = config.mode === "pretrain" ? gatesAlone : adapterOptions(shape, config.adapter);
      return estimateTrainingMemory(shape, {
        ...largestMicroBatch(tokens, config, stepsOver(config, tokens)),
        accumulates: microBatchSize < batchSize,
        ...adapter,
        ...(config.gates.objective === "future" && { gradientCheckpointing: true }), // nothing of the model is kept
        ...storedUnder(inputs, [config.adapter]),
      });
    },
    savings: (config) => [
      ...(config.eviction === undefined || config.eviction.rows === "each" ? oneRowAtOnce(config) : []),
      ...(config.adapter === undefined && config.mode === "finetune"
        ? [{ settings: "adapter.rank=16", config: { ...config, adapter: plainAdapter } }]
        : []),
    ],
  };
}
