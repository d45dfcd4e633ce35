import type { TokenLayout } from "../contract/index.ts";

/**
 * What each token's loss counts by the data alone, `[rows * width]`: on the response what `dataWeights` says, or else 1;
 * on prompts what they train with, or else 0; 0 on the first token of a row, which nothing predicts.
 */
export function lossWeights({ width, response, dataWeights }: TokenLayout): Float32Array {
  return Float32Array.from(response, (mark, i) => (i % width === 0 ? 0 : (dataWeights?.[i] ?? mark)));
}
