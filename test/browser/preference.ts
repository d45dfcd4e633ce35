import * as preference from "../../src/preference/index.ts";

export const names = Object.keys(preference);

/** Two pairs of rows of four tokens, the last two of each the response, under plain DPO; and one contrastive estimate. */
export function numbers(): number[] {
  const [rows, width] = [4, 4];
  const tokens = {
    ...{ rows, width, rowIds: Float64Array.of(7, 8, 9, 10), endOfTurn: new Uint8Array(rows * width) },
    ...{ response: Uint8Array.from({ length: rows * width }, (_, i) => Number(i % width > 1)), signals: {} },
  };
  const logProb = Float32Array.from(tokens.response, (_, i) => -0.1 * (i + 1));
  const reference = Float32Array.from(tokens.response, (_, i) => -0.07 * (i + 2));
  const batch = { pairs: preference.alternatingPairs(2), reference };
  const { terms, metrics } = preference.dpo({ dpoBeta: 0.3 }).evaluate({ logProb }, tokens, batch);
  const estimator = preference.contrastiveEstimator([1, 0]);
  estimator.add([0.5, 2, -1, 0.25], [1, 0, 0.5, 0.5]);
  return [terms.preference!.sum, ...terms.preference!.dLogProb!, metrics["rewardMargin"]!, ...estimator.finish()];
}
