import * as tf from "@tensorflow/tfjs-core";
import type { AttentionFacts, ScoreFacts } from "./attributes.ts";
import { softCap } from "./soft-cap.ts";

/** Added to the score of a key that may not be seen: its softmax weight is then exactly 0. */
export const HIDDEN = -1e30;

/** Factor on the products of queries with keys of width `d`. */
export function scaleOf({ scale }: Pick<ScoreFacts, "scale">, d: number): number {
  return scale ?? 1 / Math.sqrt(d);
}

/** Scores out of the products of queries with keys of width `d`. */
export function scoresOf<T extends tf.Tensor>(products: T, d: number, facts: Pick<ScoreFacts, "scale" | "softCap">): T {
  return softCap(tf.mul<T>(products, scaleOf(facts, d)), facts.softCap);
}

/** How many of the keys before its own, and that, a query of a row of `width` tokens may see. */
export function windowOf({ window }: Pick<AttentionFacts, "window">, width: number): number {
  return Math.min(window ?? width, width);
}

/** Marks in row `query` of `map`, rows of `width`, the keys that it does not see: those behind it or before its window. */
export function markUnseen<T extends Float32Array | Uint8Array>(
  map: T,
  width: number,
  window: number,
  mark: number,
): T {
  for (let query = 0; query < width; query++) {
    const row = query * width;
    map.fill(mark, row, row + Math.max(0, query + 1 - window));
    map.fill(mark, row + query + 1, row + width);
  }
  return map;
}
