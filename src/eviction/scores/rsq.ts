/**
 * RSQ, https://arxiv.org/abs/2503.01820: tokens weigh by the attention that they draw from all queries and heads. The paper
 * weighs the tokens of a calibration with it; here it is what keeps them.
 *
 *     r_j = mean over heads of Σ_i A_ij                     count: / (n-j);  root: / sqrt(n-j);  square: r²
 *     w_j = least + (1 - least) (r_j - min r) / (max r - min r),   score_j = n w_j / Σ w
 */
import type { Entry } from "../../contract/index.ts";
import { oneOf, refuse } from "../../system/refuse-option.ts";
import { checkMass, type EvictionScore, type FactsScore, scoreHeads } from "../key-score.ts";
import { allQueries } from "./masses.ts";

export interface RsqOptions {
  /** By what the sum is divided, as early tokens are seen by more queries. Default `none` (paper). */
  readonly normalise?: "none" | "count" | "root";
  /** Squares it. Default false. */
  readonly square?: boolean;
  /** The least weight before they are brought to mean 1, in (0, 1]. Default 0.005. */
  readonly least?: number;
}

/**
 * The weights of RSQ as a score, with mean 1 in every row, the same for every key-value head of a layer.
 *
 * @throws UserError for impossible options
 * @see https://arxiv.org/abs/2503.01820
 */
export function rsq({ normalise = "none", square = false, least = 0.005 }: RsqOptions = {}): FactsScore {
  oneOf("normalise", normalise, ["none", "count", "root"]);
  if (!(least > 0 && least <= 1)) refuse("least", least, "above 0 and at most 1");
  const seen = { none: () => 1, count: (n: number) => n, root: (n: number) => Math.sqrt(n) }[normalise];
  return {
    name: "rsq",
    reads: "facts",
    needs: { masses: [{ ...allQueries, heads: "all" }] },
    score(shape, { masses }) {
      const mass = masses[0]!;
      checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        const drawn = Array.from({ length }, (_, t) => (mass[index(t)]! / seen(length - t)) ** (square ? 2 : 1));
        const [low, high] = [Math.min(...drawn), Math.max(...drawn)];
        const weights = drawn.map((r) => least + (high > low ? ((1 - least) * (r - low)) / (high - low) : 0));
        const sum = weights.reduce((a, b) => a + b, 0);
        weights.forEach((weight, t) => (out[index(t)] = (weight * length) / sum));
      });
    },
  };
}

export const rsqEntry = {
  name: "rsq",
  summary: "Keeps for all heads of a layer the keys that drew most attention, as RSQ weighs tokens.",
  formula: "score(j) = n w(j) / sum of w, w = the mean attention that j drew, stretched to [least, 1]",
  paper: "https://arxiv.org/abs/2503.01820",
  notes: ["The paper weighs tokens of a quantiser's calibration; that is not served."],
  options: {
    normalise: {
      enum: ["none", "count", "root"],
      default: "none",
      description: "Divide by the number of queries that see the key, or its root.",
    },
    square: { type: "boolean", default: false, description: "Square it." },
    least: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.005,
      description: "The least weight, before they are brought to mean 1.",
    },
  },
  create: rsq,
} as const satisfies Entry<EvictionScore>;
