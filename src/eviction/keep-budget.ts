import { UserError } from "../system/errors.ts";
import { type Rounding, budgetCount, resolveBudget, topMask } from "../ranking/index.ts";
import { type CacheShape, checkEntries, checkShape } from "./shape.ts";
import { refuse, wholeNumber } from "../system/refuse-option.ts";

/** How many entries of a cache are kept, and which before any score. */
export interface CacheBudget {
  /** Entries that each head keeps of each row, `sinks` and `recent` among them; a shorter row keeps all. This or `ratio`. */
  readonly budget?: number;
  /** Share of each row's real tokens, in (0, 1]. */
  readonly ratio?: number;
  /** How `ratio` becomes a whole number. Default `ceil`. */
  readonly rounding?: Rounding;
  /** First tokens kept before any other. Default 0. */
  readonly sinks?: number;
  /** Last tokens kept next, the latest first. Default 0. */
  readonly recent?: number;
}

/**
 * The entries that one layer keeps, each head of each row for itself: `[rows * width * heads]`, 1 = keep.
 * Exactly the budget is kept: first the sinks, then the recent tokens, then the highest scores; of equal scores the
 * earlier token wins. Padding is 0.
 *
 * @param score `[rows * width * heads]`, large = keep; padding is not read
 * @throws UserError for a score that is not finite (naming row, token, head), or a budget without room for `sinks` and
 *   `recent`; a short row's `ratio` may leave less room than that, and is kept to
 * @example
 * import { keepBudget } from "tokensift/eviction";
 *
 * const shape = { rows: 1, width: 6, heads: 1, lengths: [6] };
 * const score = Float32Array.of(0, 5, 1, 4, 0, 0);
 * keepBudget(score, shape, { budget: 4, sinks: 1, recent: 1 }); //=> [1, 1, 0, 1, 0, 1]
 * keepBudget(score, shape, { ratio: 0.5 }); //=> [0, 1, 1, 1, 0, 0]
 */
export function keepBudget(score: Float32Array | Float64Array, shape: CacheShape, options: CacheBudget): Uint8Array {
  checkOptions(options);
  checkShape(shape);
  checkEntries("The score", score, shape);
  const { rows, width, heads, lengths } = shape;
  const { sinks = 0, recent = 0 } = options;
  const keep = new Uint8Array(rows * width * heads);
  for (let row = 0; row < rows; row++) {
    const length = lengths[row]!;
    const count = countFor(length, options);
    const first = Math.min(sinks, count);
    const last = length - Math.min(recent, count - first, length - first);
    for (let head = 0; head < heads; head++) {
      const index = (t: number): number => (row * width + t) * heads + head;
      for (let t = 0; t < first; t++) keep[index(t)] = 1;
      for (let t = last; t < length; t++) keep[index(t)] = 1;
      const open = Float64Array.from({ length: last - first }, (_, i) => score[index(first + i)]!);
      best(open, count - first - (length - last)).forEach((mark, i) => {
        if (mark) keep[index(first + i)] = 1;
      });
    }
  }
  return keep;
}

/** Marks the `count` best of `scores`. */
function best(scores: Float64Array, count: number): Uint8Array {
  const width = scores.length;
  if (count === 0) return new Uint8Array(width);
  const response = new Uint8Array(width).fill(1);
  return topMask(scores, { rows: 1, width, response }, { ratio: count / width, rounding: "round" });
}

function countFor(length: number, { budget, ratio, rounding = "ceil" }: CacheBudget): number {
  return ratio === undefined ? Math.min(length, budget!) : budgetCount(length, ratio, rounding);
}

function checkOptions({ budget, ratio, rounding = "ceil", sinks = 0, recent = 0 }: CacheBudget): void {
  wholeNumber("sinks", sinks, 0);
  wholeNumber("recent", recent, 0);
  if ((budget === undefined) === (ratio === undefined))
    throw new UserError("missing-option", `A cache budget needs either "budget" or "ratio".`, {
      fix: "budget counts entries per head, ratio is the share of each row's tokens.",
    });
  if (ratio !== undefined) return void resolveBudget({ ratio, rounding });
  wholeNumber("budget", budget!, 1);
  if (budget! < sinks + recent) refuse("budget", budget, `at least sinks + recent = ${sinks + recent}`);
}
