import type { ForwardSignals, Objective, TokenLayout } from "../contract/index.ts";

/**
 * Plain fine-tuning on responses: `-Σ log π(y_t) / tokens` over the whole optimizer step. On chosen responses alone it
 * is the control that preference objectives must beat; it also trains the two models that are contrasted.
 */
export const responseNll = {
  reads: ["logProb"] as const,
  masses: (tokens: TokenLayout): { nll: number } => ({
    nll: tokens.response.reduce((sum, _, i) => sum + Number(isTrained(tokens, i)), 0),
  }),
  evaluate({ logProb }: Pick<ForwardSignals, "logProb">, tokens: TokenLayout) {
    const dLogProb = new Float32Array(logProb.length);
    let [sum, mass] = [0, 0];
    for (let i = 0; i < logProb.length; i++) {
      if (!isTrained(tokens, i)) continue;
      sum -= logProb[i]!;
      mass++;
      dLogProb[i] = -1;
    }
    return { terms: { nll: { sum, mass, dLogProb } }, metrics: {} };
  },
} satisfies Objective<"logProb", unknown>;

/** The first token of a row has nothing before it that could predict it. */
const isTrained = ({ response, width }: TokenLayout, i: number): boolean => response[i] === 1 && i % width > 0;
