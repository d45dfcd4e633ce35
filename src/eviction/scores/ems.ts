/**
 * The score of EMS, https://arxiv.org/abs/2412.08521: attention over the whole prompt and at its end, brought to one scale.
 *
 *     g_j = 1/(n-j) Σ_i A_ij,   l_j = Σ_{i >= n-W} A_ij
 *     score_j = g_j mean(l) / mean(g) + l_j               means over the row's n tokens, each head for itself
 *
 * The paper's exact mix is not known to us; this one is ours.
 */
import type { Entry } from "../../contract/index.ts";
import { wholeNumber } from "../../system/refuse-option.ts";
import { checkMass, type EvictionScore, type FactsScore, scoreHeads } from "../key-score.ts";
import { allQueries, lastQueries } from "./masses.ts";

export interface EmsOptions {
  /** W, at least 1. Default 32. */
  readonly window?: number;
}

/**
 * The score of EMS.
 *
 * @throws UserError for an impossible window
 * @see https://arxiv.org/abs/2412.08521
 */
export function ems({ window = 32 }: EmsOptions = {}): FactsScore {
  wholeNumber("window", window, 1);
  return {
    name: "ems",
    reads: "facts",
    needs: { masses: [allQueries, lastQueries(window, "sum")] },
    score(shape, { masses }) {
      const [whole, local] = masses as [Float32Array, Float32Array];
      for (const mass of [whole, local]) checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        let [sumOfWhole, sumOfLocal] = [0, 0];
        for (let t = 0; t < length; t++) {
          sumOfWhole += whole[index(t)]! / (length - t);
          sumOfLocal += local[index(t)]!;
        }
        const scale = sumOfLocal / sumOfWhole; // a row's attention adds up to more than 0
        for (let t = 0; t < length; t++) out[index(t)] = (whole[index(t)]! / (length - t)) * scale + local[index(t)]!;
      });
    },
  };
}

export const emsEntry = {
  name: "ems",
  summary: "Keeps keys by their attention over the whole prompt and at its end together.",
  formula: "score(j) = g(j) mean(l) / mean(g) + l(j), g = mean attention, l = attention from the last queries",
  paper: "https://arxiv.org/abs/2412.08521",
  notes: ["Ours: how both are mixed, which the paper's text did not tell us. Its merging is not served."],
  options: {
    window: { type: "integer", minimum: 1, default: 32, description: "Last queries, whose attention is l." },
  },
  create: ems,
} as const satisfies Entry<EvictionScore>;
