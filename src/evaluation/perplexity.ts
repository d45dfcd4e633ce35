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
