import type { AttentionGateConfig } from "./config-schema.ts";
import type { Materials } from "../kit/inputs.ts";
import { answerOverEach, baselineEvictions, type CacheResult } from "./answers.ts";
import { stoppable, type ArmTalk } from "../kit/reporter.ts";

interface FrozenOptions {
  readonly config: AttentionGateConfig;
  readonly talkOf: (arm: string) => ArmTalk;
  readonly interrupted: () => boolean;
}

/** Answers of the model as it started, over all entries and over the baselines' caches. */
export async function answerFrozen(
  { config, talkOf, interrupted }: FrozenOptions,
  materials: Materials,
  budget: number,
): Promise<CacheResult[]> {
  const name = "model";
  const { working } = stoppable(talkOf(name), interrupted);
  const model = await materials.openModel();
  try {
    const evictions = await baselineEvictions(model, config, budget);
    return await answerOverEach(evictions, { config, materials, model, name, working });
  } finally {
    model.dispose();
  }
}
