import type { TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { type Pairs, pairPlaces } from "./pairs.ts";

/** The largest difference allowed at a token, nats. */
const TOLERANCE = 1e-3;

/**
 * Holds before the first update: the model still is its reference, so every log-ratio is 0, a margin is 0 and the
 * loss of a pair is log 2. Call it on the first batch; compared token by token, since sums may cancel.
 *
 * @param logProb of the model, `[rows * width]`, nats
 * @param reference cached log-probabilities, the same shape
 * @throws UserError naming the row and token that differ most
 */
export function checkStartsAtReference(
  logProb: Float32Array,
  reference: Float32Array,
  tokens: TokenLayout,
  pairs: Pairs,
): void {
  let [worst, place] = [TOLERANCE, -1];
  for (const sides of pairPlaces(tokens, pairs)) {
    for (const i of [...sides.chosen, ...sides.rejected]) {
      const distance = Math.abs(logProb[i]! - reference[i]!);
      if (distance <= worst) continue;
      [worst, place] = [distance, i];
      if (Number.isNaN(distance)) break;
    }
  }
  if (place < 0) return;
  throw new UserError(
    "reference-mismatch",
    `The model gives the log-probability ${logProb[place]} before its first update, the reference ${reference[place]}.`,
    {
      where: `row ${tokens.rowIds[Math.floor(place / tokens.width)]}, token ${place % tokens.width}`,
      fix: "Take the reference log-probabilities again, from the model as it is before training, with the same adapter and tokens.",
    },
  );
}
