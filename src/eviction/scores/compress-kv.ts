/**
 * CompressKV, https://arxiv.org/abs/2508.02401: a layer's retrieval heads choose for the whole layer.
 *
 *     score_j = mean over heads of 1/K Σ_{|k-j| <= (K-1)/2} 1/W Σ_{i >= n-W} A_ik
 *
 * The last W tokens are always kept. Which heads retrieve is not measured yet: all of a layer's have a say, which is SnapKV
 * with the same entries for every head.
 */
import type { Entry } from "../../contract/index.ts";
import { wholeNumber } from "../../system/refuse-option.ts";
import type { EvictionScore, FactsScore } from "../key-score.ts";
import { lastQueries } from "./masses.ts";
import { kernelOption, pooledBeforeWindow, requireKernel } from "./pooling.ts";

export interface CompressKvOptions {
  /** W, at least 1. Default 8. */
  readonly window?: number;
  /** K, odd; 1 = no pooling. Default 5. */
  readonly kernel?: number;
}

/**
 * The score of CompressKV, the same for every key-value head of a layer.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2508.02401
 */
export function compressKv({ window = 8, kernel = 5 }: CompressKvOptions = {}): FactsScore {
  wholeNumber("window", window, 1);
  requireKernel(kernel);
  return {
    name: "compress-kv",
    reads: "facts",
    needs: { masses: [{ ...lastQueries(window, "mean"), heads: "all" }] },
    score: (shape, { masses }) => pooledBeforeWindow(masses[0]!, shape, { window, kernel }),
  };
}

export const compressKvEntry = {
  name: "compress-kv",
  summary: "Keeps for all heads of a layer what the end of the prompt looks at, and the neighbours of a hit.",
  formula: "score(j) = mean over heads and a kernel around j of the attention from the last queries",
  paper: "https://arxiv.org/abs/2508.02401",
  notes: ["The paper's retrieval heads and layer budgets are not served: all heads of a layer have a say."],
  options: {
    window: { type: "integer", minimum: 1, default: 8, description: "Last queries whose attention is read." },
    kernel: kernelOption,
  },
  create: compressKv,
} as const satisfies Entry<EvictionScore>;
