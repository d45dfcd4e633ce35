import type { ScoredPair, TokenFacts } from "./files.ts";

/** How the estimate falls on the tokens of both sides; `criticalShare`: share of tokens with s below one half. */
export interface EstimateReadout {
  readonly pairs: number;
  readonly chosen?: { readonly meanEstimate: number; readonly criticalShare: number };
  readonly rejected?: { readonly meanEstimate: number; readonly criticalShare: number };
}

export function readoutOf(pairs: readonly ScoredPair[]): EstimateReadout {
  const sideOf = (of: (pair: ScoredPair) => TokenFacts) => {
    const estimates = pairs.flatMap((pair) => [...(of(pair).logEstimate ?? [])].map(Math.exp));
    if (estimates.length === 0) return undefined;
    const share = estimates.filter((s) => s < 0.5).length / estimates.length;
    return { meanEstimate: estimates.reduce((a, b) => a + b, 0) / estimates.length, criticalShare: share };
  };
  const [chosen, rejected] = [sideOf(({ facts }) => facts.chosen), sideOf(({ facts }) => facts.rejected)];
  return { pairs: pairs.length, ...(chosen && { chosen }), ...(rejected && { rejected }) };
}
