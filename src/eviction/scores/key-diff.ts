/**
 * KeyDiff, https://arxiv.org/abs/2504.15364: keys that point where few others do are worth keeping.
 *
 *     score_j = -cos(k_j, c),   c = 1/n Σ_k k_k / ‖k_k‖     over the row's n real tokens
 *
 * The centre is the mean of the *normalised* keys: in a mean of the keys as they are, a few long ones would decide.
 * A key of zeros has no direction and scores 0 (ours), as do all keys of a centre of zeros.
 */
import type { Entry } from "../../contract/index.ts";
import { type EvictionScore, type KeyScore, scoreHeads } from "../key-score.ts";
import { headSizeOf, norm } from "./key-norm.ts";

/**
 * The score of KeyDiff. State: the keys, and their centre `[rows, heads, headSize]`.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError, when it scores, for keys of another size, or a score that is not finite (naming row, token, head)
 * @see https://arxiv.org/abs/2504.15364
 */
export function keyDiff(): KeyScore {
  return {
    name: "key-diff",
    reads: "keys",
    score(shape, keys) {
      const headSize = headSizeOf(shape, keys);
      return scoreHeads(shape, (length, index, out) => {
        const centre = new Float64Array(headSize);
        for (let t = 0; t < length; t++) {
          const start = index(t) * headSize;
          const size = norm(keys, start, headSize) || 1;
          for (let d = 0; d < headSize; d++) centre[d]! += keys[start + d]! / size / length;
        }
        const centreSize = norm(centre, 0, headSize);
        for (let t = 0; t < length; t++) {
          const start = index(t) * headSize;
          let product = 0;
          for (let d = 0; d < headSize; d++) product += keys[start + d]! * centre[d]!;
          const sizes = norm(keys, start, headSize) * centreSize;
          out[index(t)] = sizes === 0 ? 0 : -product / sizes;
        }
      });
    },
  };
}

export const keyDiffEntry = {
  name: "key-diff",
  summary: "Keeps keys that point where few others do.",
  formula: "score(j) = -cos(k(j), mean of k / |k|)",
  paper: "https://arxiv.org/abs/2504.15364",
  options: {},
  create: keyDiff,
} as const satisfies Entry<EvictionScore>;
