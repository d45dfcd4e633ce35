/**
 * VTC-CLS, https://arxiv.org/abs/2412.05819: what the last token looks at in the deeper layers, added up; all layers keep the
 * same.
 *
 *     score_j = Σ_{l >= L/2, l < L-1} mean over heads of A^l_(n-1)j
 *
 * The last layer is left out. That the sum begins at half the depth is ours.
 */
import type { Entry } from "../../contract/index.ts";
import type { EvictionScore, FactsScore } from "../key-score.ts";
import { lazyLlm } from "./lazy-llm.ts";

/**
 * The score of VTC-CLS, the same for every key-value head of every layer.
 *
 * @see https://arxiv.org/abs/2412.05819
 */
export function vtcCls(): FactsScore {
  return {
    ...lazyLlm(),
    name: "vtc-cls",
    across(layers) {
      const first = Math.min(Math.floor(layers / 2), Math.max(0, layers - 2)); // at least one layer
      return Array.from({ length: Math.max(1, layers - 1 - first) }, (_, i) => first + i);
    },
  };
}

export const vtcClsEntry = {
  name: "vtc-cls",
  summary: "Keeps for all layers what the last token looks at in the deeper ones.",
  formula: "score(j) = sum over the deeper half of the layers, but the last, of the last query's mean attention",
  paper: "https://arxiv.org/abs/2412.05819",
  notes: ["Ours: the half of the depth from which layers are added up."],
  options: {},
  create: vtcCls,
} as const satisfies Entry<EvictionScore>;
