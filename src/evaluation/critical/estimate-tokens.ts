import type { TokenBatch } from "../../contract/index.ts";
import { vocabularyLogits, type VocabularyLogits } from "../../model/vocabulary-logits.ts";
import type { Decoder } from "../../model/decoder.ts";
import { contrastiveEstimator, type PlausibilityOptions } from "../../preference/contrastive-estimate.ts";

/** Of the estimate, without what is found on the way. */
export type EstimateOptions = Omit<PlausibilityOptions, "highestPositive">;

/**
 * The contrastive estimate of every response token of a batch (https://arxiv.org/abs/2411.19943): `log s_t`, at most 0,
 * `-Infinity` for s = 0; `[rows * width]`, 0 on other tokens. The models usually are two adapters over one trunk; what
 * they give the vocabulary is read in parts, so memory does not grow with it.
 *
 * @throws UserError for an impossible option, or logits that are not finite
 */
export async function estimateTokens(
  { positive, negative }: { positive: Decoder; negative: Decoder },
  batch: TokenBatch,
  options: EstimateOptions = {},
): Promise<Float32Array> {
  using logits = vocabularyLogits([positive, negative], batch);
  const highestPositive = (options.plausibility ?? 0) > 0 ? await highestLogits(logits) : undefined;
  const estimator = contrastiveEstimator(logits.targets, { ...options, ...(highestPositive && { highestPositive }) });
  for await (const [p, n] of logits.parts()) estimator.add(p!, n!);
  const estimate = new Float32Array(batch.rows * batch.width);
  estimator.finish().forEach((logS, i) => (estimate[logits.slots[i]!] = logS));
  return estimate;
}

/** Each position's largest logit under the first model. */
async function highestLogits({ targets, parts }: VocabularyLogits): Promise<Float64Array> {
  const highest = new Float64Array(targets.length).fill(-Infinity);
  for await (const [part] of parts()) {
    const size = part!.length / targets.length;
    highest.forEach((_, t) => {
      for (let j = 0; j < size; j++) highest[t] = Math.max(highest[t]!, part![t * size + j]!);
    });
  }
  return highest;
}
