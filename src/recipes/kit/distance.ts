import type { TokenBatch } from "../../contract/index.ts";
import { klEstimate } from "../../reward/kl.ts";

/** What the distance to the model before training is read off. Arrays are `[rows * width]`. */
export interface ComparedBatch {
  readonly batch: Pick<TokenBatch, "response">;
  /** Of the model in training, nats. */
  readonly logProb: Float32Array;
  readonly aux: { readonly referenceLogProb?: Float32Array | undefined };
}

/**
 * KL(policy || reference) in nats per token, estimated on answers that the policy itself has drawn: the mean over their
 * tokens of `exp(d) - d - 1`, `d = log p_ref - log p`, whatever form the objective's KL term has. 0 without an answer.
 */
export function klToReference(batches: readonly ComparedBatch[]): number {
  let [sum, tokens] = [0, 0];
  for (const { batch, aux, logProb } of batches)
    batch.response.forEach((mark, i) => {
      if (!mark || aux.referenceLogProb === undefined) return;
      sum += klEstimate("unbiased", logProb[i]!, aux.referenceLogProb[i]!).value;
      tokens++;
    });
  return tokens === 0 ? 0 : sum / tokens;
}
