/**
 * The token importance of MC-MoE, https://arxiv.org/abs/2410.06270: how large a hidden state is, times the attention that it
 * draws.
 *
 *     paper      score_j = ‖h_j‖₁ mean over heads of 1/(n-j) Σ_i A_ij
 *     released   score_j = ‖h_j‖₁ / (n-j)                     its program adds attention up over keys: every row gives 1
 */
import type { Entry } from "../../contract/index.ts";
import { oneOf } from "../../system/refuse-option.ts";
import { checkMass, type EvictionScore, type FactsScore, scoreHeads } from "../key-score.ts";
import { checkSize } from "../shape.ts";
import { allQueries } from "./masses.ts";

export interface McMoeOptions {
  /** Default `paper`. */
  readonly form?: "paper" | "released";
}

/**
 * The importance of MC-MoE, the same for every key-value head of a layer. Which experts run is not its matter here.
 *
 * @throws UserError for an impossible form; when it scores, for states that do not fit
 * @see https://arxiv.org/abs/2410.06270
 */
export function mcMoe({ form = "paper" }: McMoeOptions = {}): FactsScore {
  oneOf("form", form, ["paper", "released"]);
  return {
    name: "mc-moe",
    reads: "facts",
    needs: { masses: form === "paper" ? [{ ...allQueries, heads: "all" }] : [], states: true },
    score(shape, { masses: [mass], states }) {
      const { rows, width, heads } = shape;
      const size = states!.length / (rows * width);
      checkSize("states", states!, rows * width * Math.max(1, Math.floor(size)));
      if (mass) checkMass(mass, shape);
      return scoreHeads(shape, (length, index, out) => {
        for (let t = 0; t < length; t++) {
          const token = Math.floor(index(t) / heads);
          const norm = states!.subarray(token * size, (token + 1) * size).reduce((sum, x) => sum + Math.abs(x), 0);
          out[index(t)] = (norm * (mass?.[index(t)] ?? 1)) / (length - t);
        }
      });
    },
  };
}

export const mcMoeEntry = {
  name: "mc-moe",
  summary: "Keeps for all heads of a layer large hidden states that draw attention.",
  formula: "score(j) = |h(j)|_1 times the mean attention that j drew",
  paper: "https://arxiv.org/abs/2410.06270",
  notes: ["Its quantisation and its choice of experts are not served."],
  options: {
    form: {
      enum: ["paper", "released"],
      default: "paper",
      description: "released: what its program computes, |h(j)|_1 / (n - j).",
    },
  },
  create: mcMoe,
} as const satisfies Entry<EvictionScore>;
