import { tryCreate } from "../../config/catalogue.ts";
import { estimateTrainingMemory } from "../../model/memory.ts";
import {
  activationsTwice,
  largestMicroBatch,
  oneRowAtOnce,
  plainAdapter,
  type MemoryInputs,
  type MemoryPlan,
} from "../kit/memory.ts";
import { adapterOptions, storedUnder } from "../kit/adapter.ts";
import { rules } from "../../selection/catalogue.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import { stepsOver } from "../kit/row-order.ts";

/** The memory of a fine-tuning run, from its largest micro-batch. */
export function finetuneMemory(inputs: MemoryInputs): MemoryPlan<FinetuneConfig> {
  const { shape, tokens } = inputs;
  return {
    bound: "about",
    estimate(config) {
      const { batchSize, microBatchSize = batchSize, gradientCheckpointing } = config.training;
      return estimateTrainingMemory(shape, {
        ...largestMicroBatch(tokens, config, stepsOver(config, tokens)),
        gradientCheckpointing,
        accumulates: microBatchSize < batchSize,
        copies:
          Number(config.history.source === "ema") + Number(config.selfEvolving !== undefined) + copiesOfStart(config),
        ...adapterOptions(shape, config.adapter),
        ...storedUnder(inputs, [config.adapter]),
      });
    },
    savings: (config) => [
      ...oneRowAtOnce(config),
      ...activationsTwice(config),
      ...(config.adapter === undefined && config.fresh === undefined
        ? [{ settings: "adapter.rank=16", config: { ...config, adapter: plainAdapter } }]
        : []),
    ],
  };
}

/** A rule with an anchor has the starting model beside it, but for an adapter's, which is the trunk. */
function copiesOfStart({ selection, compare, adapter }: FinetuneConfig): number {
  const choices = [selection, ...compare.map((arm) => arm.selection)];
  const isAnchored = choices.some((choice) => tryCreate(rules, choice, []).made?.anchor !== undefined);
  return Number(adapter === undefined && isAnchored);
}
