/**
 * A random share of each response, the control that every selection rule must beat at the same share.
 *
 *     keep the top rho of u_i,  u_i ~ uniform[0, 1)
 *
 * `u_i` depends on the seed, the dataset row and the token alone: another batching, or another random choice
 * elsewhere, keeps the same tokens.
 */
import type { Entry, TokenRule } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import { type ChooserOptions, chooserDefaults, chooserOptions, sharedByChoosers } from "./chooser.ts";

/** Options of `random`: those of every rule that keeps a share. */
export type RandomOptions = ChooserOptions;

/**
 * Weight 1 on a uniformly drawn share of each response, 0 elsewhere, `[rows * width]`.
 *
 * @throws UserError for an impossible budget
 */
export function random(options: RandomOptions = {}): ChoosingRule<never> {
  const { divideBy, ...budget } = { ...chooserDefaults, ...options };
  return keepTop(
    {
      name: "random",
      needs: [],
      score({ rows, width, rowIds, response }, context) {
        const score = new Float32Array(rows * width);
        for (let b = 0, i = 0; b < rows; b++) {
          for (let t = 0; t < width; t++, i++) if (response[i]) score[i] = context.uniform(rowIds[b]!, t);
        }
        return score;
      },
    },
    { ...budget, scope: "response" },
    { divideBy },
  );
}

export const randomEntry = {
  name: "random",
  summary: "Trains a random share of each response: the control at the same share.",
  formula: "keep the top rho of u(i), uniform, within each response",
  options: chooserOptions,
  takes: sharedByChoosers,
  create: random,
} as const satisfies Entry<TokenRule>;
