import type { AttentionGateConfig } from "./config-schema.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { answerOverEach, baselineEvictions, type CacheResult } from "./answers.ts";
import { stoppable, type ArmReporter } from "../kit/reporter.ts";

interface FrozenOptions {
  readonly config: AttentionGateConfig;
  readonly reporterOf: (arm: string) => ArmReporter;
  readonly interrupted: () => boolean;
}

/** Answers of the model as it started, over all entries and over the baselines' caches. */
export async function answerFrozen(
  { config, reporterOf, interrupted }: FrozenOptions,
  inputs: RunInputs,
  budget: number,
): Promise<CacheResult[]> {
  const name = "model";
  const { working } = stoppable(reporterOf(name), interrupted);
  const model = await inputs.openModel();
  try {
    const evictions = await baselineEvictions(model, config, budget);
    return await answerOverEach(evictions, { config, inputs, model, name, working });
  } finally {
    model.dispose();
  }
}
