/**
 * SnapKV, https://arxiv.org/abs/2404.14469: what the end of the prompt looks at, smoothed so that neighbours of a hit stay.
 *
 *     m_j = 1/W Σ_{i >= n-W} A_ij               W last queries of the row's n tokens
 *     score_j = 1/K Σ_{|k-j| <= (K-1)/2} m_k    over the keys before the window; beyond either end m counts 0
 *
 * The window's own tokens are always kept (paper): they score above 1, later ones higher, and lend nothing to the pool.
 */
import type { Entry } from "../../contract/index.ts";
import { type AttentionScore, checkMass, type EvictionScore, scoreHeads } from "../key-score.ts";
import { accumulatedAttention } from "./accumulated-attention.ts";
import { refuse, wholeNumber } from "../../system/refuse-option.ts";

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
  wholeNumber("kernel", kernel, 1);
  if (kernel % 2 === 0) refuse("kernel", kernel, "odd, so that a key lies in the middle of its pool");
  return {
    ...accumulatedAttention({ normalise: "window", window }),
    name: "snap-kv",
    score(shape, mass) {
      checkMass(mass, shape);
      const half = (kernel - 1) / 2;
      return scoreHeads(shape, (length, index, out) => {
        const end = Math.max(0, length - window);
        for (let t = 0; t < end; t++) {
          let sum = 0;
          for (let k = Math.max(0, t - half); k <= Math.min(end - 1, t + half); k++) sum += mass[index(k)]!;
          out[index(t)] = sum / kernel;
        }
        for (let t = end; t < length; t++) out[index(t)] = 1 + (t + 1) / length;
      });
    },
  };
}

export const snapKvEntry = {
  name: "snap-kv",
  summary: "Keeps what the end of the prompt looks at, and the neighbours of a hit.",
  formula: "score(j) = mean over a kernel around j of the attention from the last queries",
  paper: "https://arxiv.org/abs/2404.14469",
  options: {
    window: { type: "integer", minimum: 1, default: 32, description: "Last queries whose attention is read." },
    kernel: {
      type: "integer",
      minimum: 1,
      default: 5,
      description: "Keys that are pooled, an odd number; 1 pools none.",
    },
  },
  create: snapKv,
} as const satisfies Entry<EvictionScore>;
