import { estimateTrainingMemory } from "../../model/memory.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { meanPrompt, plainAdapter, type MemoryPlan } from "../kit/memory.ts";
import { adapterOptions } from "../kit/adapter.ts";
import type { AdapterConfig, CdpoConfig, StageTraining } from "./config-schema.ts";

/** The memory of a cDPO run: of its two trainings the larger one, on responses that are as short as can be. */
export function cdpoMemory({ shape, tokens }: Pick<RunInputs, "shape" | "tokens">): MemoryPlan<CdpoConfig> {
  const prompt = meanPrompt(tokens);
  const ofTraining = (rows: number, training: StageTraining, adapter: AdapterConfig | undefined) =>
    estimateTrainingMemory(shape, {
      tokens: rows * (prompt + 1),
      responseTokens: rows,
      gradientCheckpointing: training.gradientCheckpointing,
      ...adapterOptions(shape, adapter),
    });
  return {
    bound: "at least",
    estimate({ contrast, align }) {
      const contrasted = ofTraining(1, contrast.training, contrast.adapter);
      const aligned = ofTraining(2, align.training, align.adapter);
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
