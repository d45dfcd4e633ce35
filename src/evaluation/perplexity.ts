/** A sum of per-token losses that can be added to others. */
export interface LossSum {
  /** Nats. */
  readonly sum: number;
  readonly tokens: number;
}

/** The loss of a batch over its response tokens; `nll` and `response` are `[rows * width]`. */
export function lossSum(nll: Float32Array, response: Uint8Array): LossSum {
  let [sum, tokens] = [0, 0];
  for (let i = 0; i < nll.length; i++) {
    if (!response[i]) continue;
    sum += nll[i]!;
    tokens++;
  }
  return { sum, tokens };
}

/** The loss of each row on its own, for a paired comparison of two models over the same rows. */
export function rowLosses(
  nll: Float32Array,
  { rows, width, response }: { rows: number; width: number; response: Uint8Array },
): LossSum[] {
  return Array.from({ length: rows }, (_, b) =>
    lossSum(nll.subarray(b * width, (b + 1) * width), response.subarray(b * width, (b + 1) * width)),
  );
}

/** Mean loss per token in nats over all of `sums`, every token counting the same; NaN without any token. */
export function meanLoss(sums: readonly LossSum[]): number {
  const tokens = sums.reduce((total, part) => total + part.tokens, 0);
  return tokens === 0 ? NaN : sums.reduce((total, part) => total + part.sum, 0) / tokens;
}

/** `exp(mean loss per token)`, at least 1 for a proper model; Infinity where it overflows. */
export function perplexity(sums: readonly LossSum[]): number {
  return Math.exp(meanLoss(sums));
}

/**
 * Mean over rows of the probability of a row's whole response given what stands before it, `exp(-sum)`: the share of
 * answers drawn at temperature 1 that are the reference token for token. Summed in float64 from losses of float32, so
 * that a response of any length keeps six digits; one beyond 745 nats counts 0. NaN without any row.
 *
 * @param rows the loss of each row, over every response token that trains: those that end a turn are among them
 */
export function referenceProbability(rows: readonly LossSum[]): number {
  return rows.reduce((total, { sum }) => total + Math.exp(-sum), 0) / rows.length;
}
