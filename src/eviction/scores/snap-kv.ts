/**
 * SnapKV, https://arxiv.org/abs/2404.14469: what the end of the prompt looks at, smoothed so that neighbours of a hit stay.
 *
 *     m_j = 1/W Σ_{i >= n-W} A_ij               W last queries of the row's n tokens
 *     score_j = 1/K Σ_{|k-j| <= (K-1)/2} m_k    over the keys before the window; beyond either end m counts 0
 *
 * The window's own tokens are always kept (paper): they score above 1, later ones higher, and lend nothing to the pool.
 */
import type { Entry } from "../../contract/index.ts";
import type { AttentionScore, EvictionScore } from "../key-score.ts";
import { accumulatedAttention } from "./accumulated-attention.ts";
import { kernelOption, pooledBeforeWindow, requireKernel } from "./pooling.ts";

export interface SnapKvOptions {
  /** W, at least 1; a shorter row is all window. Default 32 (ours: published programs differ). */
  readonly window?: number;
  /** K, odd; 1 = no pooling. Default 5. */
  readonly kernel?: number;
}

/**
 * The score of SnapKV. It reads W queries of each row, none of the others.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2404.14469
 * @example
 * import { attentionMass, snapKv } from "tokensift/eviction";
 *
 * const shape = { rows: 1, width: 4, heads: 1, lengths: [4] };
 * const attention = [[1], [0.6, 0.4], [0.5, 0.3, 0.2], [0.1, 0.6, 0.1, 0.2]];
 * const score = snapKv({ window: 1, kernel: 1 }); // the last query alone, without pooling
 * const mass = attentionMass(score, shape, (row, head, query) => attention[query]!);
 * mass; //=> [0.1, 0.6, 0.1, 0.2]
 */
export function snapKv({ window = 32, kernel = 5 }: SnapKvOptions = {}): AttentionScore {
  requireKernel(kernel);
  return {
    ...accumulatedAttention({ normalise: "window", window }),
    name: "snap-kv",
    score: (shape, mass) => pooledBeforeWindow(mass, shape, { window, kernel }),
  };
}

export const snapKvEntry = {
  name: "snap-kv",
  summary: "Keeps what the end of the prompt looks at, and the neighbours of a hit.",
  formula: "score(j) = mean over a kernel around j of the attention from the last queries",
  paper: "https://arxiv.org/abs/2404.14469",
  options: {
    window: { type: "integer", minimum: 1, default: 32, description: "Last queries whose attention is read." },
    kernel: kernelOption,
  },
  create: snapKv,
} as const satisfies Entry<EvictionScore>;
