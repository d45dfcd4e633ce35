import { keepEverything, scoreEviction } from "../../eviction/index.ts";
import type { AttentionGateConfig } from "../../config/index.ts";
import type { Materials } from "../materials.ts";
import { answerOver, baselineScores, type CacheResult } from "./answers.ts";
import { stoppable, type ArmTalk } from "../talk.ts";

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
  const { sinks, window } = config.gates;
  const { rows, maxNewTokens, batchSize, baselines } = config.evaluation;
  const talk = stoppable(talkOf(name), interrupted);
  const model = await materials.openModel();
  try {
    const scored = baselines.map((baseline) =>
      scoreEviction(model, baselineScores[baseline]({ sinks }), { ratio: budget, sinks, recent: window }),
    );
    const results: CacheResult[] = [];
    for (const eviction of [keepEverything(model), ...(budget < 1 ? scored : [])])
      results.push(
        await answerOver(eviction, {
          ...{ model, name, held: materials.validation!, exemptions: { sinks, window }, rows, maxNewTokens, batchSize },
          answerOf: materials.answerOf,
          seed: config.training.seed,
          onProgress: talk.working,
        }),
      );
    return results;
  } finally {
    model.dispose();
  }
}
