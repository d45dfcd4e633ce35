/**
 * LazyLLM, https://arxiv.org/abs/2407.14057: what the last token looks at.
 *
 *     score_j = mean over heads of A_(n-1)j
 */
import type { Entry } from "../../contract/index.ts";
import { checkMass, type EvictionScore, type FactsScore } from "../key-score.ts";
import { lastQueries } from "./masses.ts";

/**
 * The score of LazyLLM, the same for every key-value head of a layer.
 *
 * @see https://arxiv.org/abs/2407.14057
 */
export function lazyLlm(): FactsScore {
  return {
    name: "lazy-llm",
    reads: "facts",
    needs: { masses: [{ ...lastQueries(1, "sum"), heads: "all" }] },
    score(shape, { masses }) {
      checkMass(masses[0]!, shape);
      return masses[0]!;
    },
  };
}

export const lazyLlmEntry = {
  name: "lazy-llm",
  summary: "Keeps for all heads of a layer what the last token looks at.",
  formula: "score(j) = mean over heads of the last query's attention",
  paper: "https://arxiv.org/abs/2407.14057",
  notes: ["The paper keeps fewer tokens in deeper layers, and takes some back; every layer keeps as many here."],
  options: {},
  create: lazyLlm,
} as const satisfies Entry<EvictionScore>;
