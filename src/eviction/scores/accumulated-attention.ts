/**
 * Attention that a key has drawn from all queries, A_ij of query i on key j, in a row of n tokens:
 *
 *     none    Σ_i A_ij                    counts early tokens too often: n - j queries see token j
 *     count   Σ_i A_ij / (n - j)          mean over the queries that see it
 *     forget  Σ_i γ^(n-1-i) A_ij          recent queries count more
 *     window  Σ_{i >= n-W} A_ij / W       mean over the last W queries
 *
 * One option, four published methods: `h2o`, `observedMean`, `a2sf` and, pooled, `snapKv`.
 */
import { type AttentionScore, checkMass, scoreHeads } from "../key-score.ts";
import { oneOf, refuse, wholeNumber } from "../../system/refuse-option.ts";

export interface AccumulatedAttentionOptions {
  /** Default `none`. */
  readonly normalise?: "none" | "count" | "forget" | "window";
  /** γ of `forget`, in (0, 1]; 1 forgets nothing. Default 0.95. */
  readonly gamma?: number;
  /** W of `window`, at least 1; a shorter row takes all its queries. Default 32 (ours). */
  readonly window?: number;
}

/**
 * The score of accumulated attention. Its state is `[rows, width, heads]`: with `none` and `forget` a further query
 * turns the mass into `γ mass + A`, γ = 1 for `none`.
 *
 * @throws UserError for impossible options
 */
export function accumulatedAttention({
  normalise = "none",
  gamma = 0.95,
  window = 32,
}: AccumulatedAttentionOptions = {}): AttentionScore {
  oneOf("normalise", normalise, ["none", "count", "forget", "window"]);
  if (!(gamma > 0 && gamma <= 1)) refuse("gamma", gamma, "above 0 and at most 1");
  wholeNumber("window", window, 1);
  return {
    name: `accumulated-attention-${normalise}`,
    reads: "attention",
    queryWeight(query, length) {
      if (normalise === "forget") return gamma ** (length - 1 - query);
      if (normalise !== "window") return 1;
      const used = Math.min(window, length);
      return query >= length - used ? 1 / used : 0;
    },
    score(shape, mass) {
      checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        for (let t = 0; t < length; t++)
          out[index(t)] = normalise === "count" ? mass[index(t)]! / (length - t) : mass[index(t)]!;
      });
    },
  };
}
