import type { ForwardSignals, Objective, TokenLayout } from "../contract/index.ts";
import { lossWeights } from "../data/loss-weights.ts";

/**
 * Plain fine-tuning on responses: `-Σ w_t log π(y_t) / tokens` over the whole optimizer step, with the weights that the
 * data give, 1 as a rule; tokens of weight 0 are not counted. On chosen responses alone it
 * is the control that preference objectives must beat; it also trains the two models that are contrasted.
 */
export const responseNll = {
  reads: ["logProb"] as const,
  masses: (tokens: TokenLayout): { nll: number } => ({
    nll: lossWeights(tokens).reduce((count, weight) => count + Number(weight !== 0), 0),
  }),
  evaluate({ logProb }: Pick<ForwardSignals, "logProb">, tokens: TokenLayout) {
    const dLogProb = new Float32Array(logProb.length);
    let [sum, mass] = [0, 0];
    lossWeights(tokens).forEach((weight, i) => {
      if (weight === 0) return;
      sum -= weight * logProb[i]!;
      mass++;
      dLogProb[i] = -weight;
    });
    return { terms: { nll: { sum, mass, dLogProb } }, metrics: {} };
  },
} satisfies Objective<"logProb", unknown>;
