/**
 * ALISA's sparse window attention, https://arxiv.org/abs/2403.17312: half of what is kept are the last tokens, half those
 * that these looked at.
 *
 *     k = ⌊n r / 2⌋ of a row of n tokens
 *     score_j = mean over heads of Σ_{i >= n-k} A_ij    of the tokens before the last k, which are kept themselves
 *
 * The paper's union of both halves may hold fewer than 2 k tokens; here the second is taken among the others (ours).
 */
import type { Entry } from "../../contract/index.ts";
import { refuse } from "../../system/refuse-option.ts";
import { checkMass, type EvictionScore, type FactsScore, scoreHeads } from "../key-score.ts";

export interface AlisaOptions {
  /** r, the share of the prompt that is kept, in (0, 1]. Default 0.5. */
  readonly ratio?: number;
}

/**
 * The score of ALISA, the same for every key-value head of a layer.
 *
 * @throws UserError for an impossible ratio
 * @see https://arxiv.org/abs/2403.17312
 */
export function alisa({ ratio = 0.5 }: AlisaOptions = {}): FactsScore {
  if (!(ratio > 0 && ratio <= 1)) refuse("ratio", ratio, "above 0 and at most 1");
  const last = (length: number): number => Math.max(1, Math.floor((length * ratio) / 2));
  return {
    name: "alisa",
    reads: "facts",
    needs: { masses: [{ weight: (query, length) => Number(query >= length - last(length)), heads: "all" }] },
    score(shape, { masses }) {
      const mass = masses[0]!;
      checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        const k = last(length);
        for (let t = 0; t < length; t++) out[index(t)] = t < length - k ? mass[index(t)]! : k + (t + 1) / length; // no mass is above k
      });
    },
  };
}

export const alisaEntry = {
  name: "alisa",
  summary: "Keeps the last tokens, and as many of the others as these looked at most.",
  formula: "score(j) = mean over heads of the attention from the last n ratio / 2 queries, which are kept",
  paper: "https://arxiv.org/abs/2403.17312",
  options: {
    ratio: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.5,
      description: "Share of the prompt that is kept; half of it are the last tokens.",
    },
  },
  notes: ["The paper chooses anew at every new token; a prompt is cut once here."],
  create: alisa,
} as const satisfies Entry<EvictionScore>;
