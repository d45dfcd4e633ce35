import { estimateTrainingMemory } from "../../model/memory.ts";
import { meanPrompt, plainAdapter, type MemoryInputs, type MemoryPlan } from "../kit/memory.ts";
import { adapterOptions, storedUnder } from "../kit/adapter.ts";
import type { AdapterConfig, CdpoConfig, StageTraining } from "./config-schema.ts";

/** The memory of a cDPO run: of its two trainings the larger one, on responses that are as short as can be. */
export function cdpoMemory(inputs: MemoryInputs): MemoryPlan<CdpoConfig> {
  const { shape, tokens } = inputs;
  const prompt = meanPrompt(tokens);
  const ofTraining = (
    { contrast, align }: CdpoConfig,
    rows: number,
    training: StageTraining,
    adapter: AdapterConfig | undefined,
  ) =>
    estimateTrainingMemory(shape, {
      tokens: rows * (prompt + 1),
      responseTokens: rows,
      gradientCheckpointing: training.gradientCheckpointing,
      ...adapterOptions(shape, adapter),
      ...(align.adapter && storedUnder(inputs, [contrast.adapter, align.adapter])),
    });
  return {
    bound: "at least",
    estimate(config) {
      const { contrast, align } = config;
      const contrasted = ofTraining(config, 1, contrast.training, contrast.adapter);
      const aligned = ofTraining(config, 2, align.training, align.adapter);
      return contrasted.peak > aligned.peak ? contrasted : aligned;
    },
    savings: (config) =>
      config.align.adapter === undefined
        ? [
            {
              settings: "align.adapter.rank=16",
              config: { ...config, align: { ...config.align, adapter: plainAdapter } },
            },
          ]
        : [],
  };
}
