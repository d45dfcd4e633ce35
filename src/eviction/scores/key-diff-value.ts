/**
 * KeyDiff times the size of the value, ours: a key that points where few others do is worth keeping if its value adds
 * much to an output.
 *
 *     score_j = (1 - cos(k_j, c)) ‖v_j‖,   c = 1/n Σ_k k_k / ‖k_k‖     over the row's n real tokens
 *
 * It needs no training and no attention, and is the bar for gates that do.
 */
import type { Entry } from "../../contract/index.ts";
import { type EvictionScore, type KeyValueScore, scoreHeads } from "../key-score.ts";
import { keyDiff } from "./key-diff.ts";
import { headSizeOf, norm } from "./key-norm.ts";

/**
 * The score of KeyDiff, raised above 0, times the norm of the value. State: the keys, their centre
 * `[rows, heads, headSize]`, and the values' norms. Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError, when it scores, for keys or values of another size, or a score that is not finite (naming row,
 *   token, head)
 */
export function keyDiffValue(): KeyValueScore {
  return {
    name: "key-diff-value",
    reads: "keys-and-values",
    score(shape, keys, values) {
      const difference = keyDiff().score(shape, keys);
      const size = headSizeOf(shape, values, "values");
      return scoreHeads(shape, (length, index, out) => {
        for (let t = 0; t < length; t++) {
          const entry = index(t);
          out[entry] = (1 + difference[entry]!) * norm(values, entry * size, size);
        }
      });
    },
  };
}

export const keyDiffValueEntry = {
  name: "key-diff-value",
  summary: "Keeps keys that point where few others do, the more the longer their value is.",
  formula: "score(j) = (1 - cos(k(j), mean of k / |k|)) |v(j)|",
  options: {},
  notes: ["Ours: the bar for gates, as it needs no training."],
  create: keyDiffValue,
} as const satisfies Entry<EvictionScore>;
