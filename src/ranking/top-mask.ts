import { UserError } from "../system/errors.ts";
import { type Budget, budgetCount, resolveBudget } from "./budget.ts";

/** The tokens that compete: arrays are row-major `[rows * width]`; `Tokens` of the contract fits. */
export interface RankedTokens {
  readonly rows: number;
  readonly width: number;
  /** 1 = may be kept. */
  readonly response: Uint8Array;
  /** Dataset row numbers for messages; without them rows are counted from 0. Length `rows`. */
  readonly rowIds?: Float64Array;
  /** Needed by `keepEndOfTurn` alone. */
  readonly endOfTurn?: Uint8Array;
}

/**
 * Marks the tokens with the highest scores, or the lowest where the budget's `order` says so: 1 = keep,
 * `[rows * width]`, 0 wherever `response` is 0.
 * Of equal scores the earlier token wins. Exactly the budget is kept, unless `minPerRow` and `keepEndOfTurn`
 * reserve more than that. O(n log n).
 *
 * @param scores `[rows * width]`, large = keep under `order: highest`; read only where `response` is 1
 * @throws UserError for a score that is not finite (naming row and token), or an impossible budget
 * @example
 * import { topMask } from "tokensift/selection";
 *
 * const tokens = { rows: 2, width: 3, response: Uint8Array.of(0, 1, 1, 1, 1, 1) };
 * const scores = Float32Array.of(9, 0.2, 0.4, 0.9, 0.5, 0.5);
 * topMask(scores, tokens, { ratio: 0.5 }); //=> [0, 0, 1, 1, 1, 0]
 * topMask(scores, tokens, { ratio: 0.4, scope: "step" }); //=> [0, 0, 0, 1, 1, 0]
 */
export function topMask(scores: Float32Array | Float64Array, tokens: RankedTokens, budget: Budget): Uint8Array {
  const { ratio, scope, rounding, order, minPerRow, keepEndOfTurn } = resolveBudget(budget);
  checkSizes(scores, tokens, keepEndOfTurn);
  const rows = Array.from({ length: tokens.rows }, (_, row) => finitePlaces(scores, tokens, row));
  const ranked = order === "lowest" ? scores.map((score) => -score) : scores;
  const mask = new Uint8Array(scores.length);
  if (keepEndOfTurn) {
    for (const places of rows) for (const i of places) if (tokens.endOfTurn![i]) mask[i] = 1;
  }
  if (scope === "response") {
    for (const places of rows) {
      fill(mask, ranked, places, Math.max(minPerRow, budgetCount(places.length, ratio, rounding)));
    }
    return mask;
  }
  if (minPerRow > 0) for (const places of rows) fill(mask, ranked, places, minPerRow);
  const all = concatenate(rows);
  fill(mask, ranked, all, budgetCount(all.length, ratio, rounding));
  return mask;
}

/** Where the row's response tokens lie, in order. */
function finitePlaces(scores: Float32Array | Float64Array, tokens: RankedTokens, row: number): Uint32Array {
  const { width, response } = tokens;
  const places = new Uint32Array(width);
  let count = 0;
  for (let i = row * width; i < (row + 1) * width; i++) {
    if (!response[i]) continue;
    if (!Number.isFinite(scores[i])) {
      throw new UserError("not-finite", `The score is ${scores[i]}; a ranking needs finite scores.`, {
        where: `row ${tokens.rowIds?.[row] ?? row}, token ${i - row * width}`,
        fix: "Check the losses that the score is computed from: a learning rate that is too high is the usual cause.",
      });
    }
    places[count++] = i;
  }
  return places.subarray(0, count);
}

/** Marks the best of `places` that are not marked yet, until `target` of them are. */
function fill(mask: Uint8Array, scores: Float32Array | Float64Array, places: Uint32Array, target: number): void {
  const open = places.filter((i) => !mask[i]);
  const free = Math.min(open.length, target - (places.length - open.length));
  if (free <= 0) return;
  const ascending = Float64Array.from(open, (i) => scores[i]!).sort();
  const threshold = ascending[open.length - free]!;
  let equals = free;
  for (const i of open) {
    if (scores[i]! > threshold) {
      mask[i] = 1;
      equals--;
    }
  }
  for (const i of open) {
    if (equals > 0 && scores[i] === threshold) {
      mask[i] = 1;
      equals--;
    }
  }
}

function concatenate(parts: Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function checkSizes(scores: Float32Array | Float64Array, tokens: RankedTokens, keepEndOfTurn: boolean): void {
  const size = tokens.rows * tokens.width;
  const where = `${tokens.rows} rows of ${tokens.width} tokens`;
  if (scores.length !== size)
    throw new UserError("wrong-shape", `There are ${scores.length} scores instead of ${size}.`, { where });
  if (tokens.response.length !== size)
    throw new UserError("wrong-shape", `The response mask has ${tokens.response.length} entries instead of ${size}.`, {
      where,
    });
  if (keepEndOfTurn && tokens.endOfTurn?.length !== size)
    throw new UserError("wrong-shape", `keepEndOfTurn needs an endOfTurn mask of ${size} entries.`, { where });
}
