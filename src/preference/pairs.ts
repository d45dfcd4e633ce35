import type { TokenLayout } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";

/** Which rows of a batch form a pair: pair `k` prefers row `chosen[k]` to row `rejected[k]`. A row may serve in several. */
export interface Pairs {
  readonly chosen: Int32Array;
  readonly rejected: Int32Array;
}

/**
 * `count` pairs of neighbouring rows: chosen in row `2k`, rejected in row `2k + 1`, so that slices of a batch keep
 * pairs whole.
 *
 * @example
 * import { alternatingPairs } from "tokensift/preference";
 *
 * alternatingPairs(2); //=> { chosen: [0, 2], rejected: [1, 3] }
 */
export function alternatingPairs(count: number): Pairs {
  return {
    chosen: Int32Array.from({ length: count }, (_, k) => 2 * k),
    rejected: Int32Array.from({ length: count }, (_, k) => 2 * k + 1),
  };
}

/**
 * Where the row's predicted response tokens lie, as indices into `[rows * width]`, in order. The first token of a row
 * has nothing before it that could predict it; those to which the data give no weight are left out.
 */
export function responsePlaces({ width, response, dataWeights }: TokenLayout, row: number): Int32Array {
  const places: number[] = [];
  for (let i = row * width + 1; i < (row + 1) * width; i++) if (response[i] && dataWeights?.[i] !== 0) places.push(i);
  return Int32Array.from(places);
}

/**
 * The response places of both sides of every pair.
 *
 * @throws UserError for a pair of unknown or equal rows, or a row without a response
 */
export function pairPlaces(
  tokens: TokenLayout,
  { chosen, rejected }: Pairs,
): { chosen: Int32Array; rejected: Int32Array }[] {
  if (chosen.length !== rejected.length)
    throw new UserError("wrong-shape", `There are ${chosen.length} chosen rows and ${rejected.length} rejected ones.`);
  return Array.from(chosen, (w, k) => {
    const l = rejected[k]!;
    if (w === l) throw new UserError("invalid-pair", `Row ${w} cannot be preferred to itself.`, { where: `pair ${k}` });
    const [chosenPlaces, rejectedPlaces] = [w, l].map((row) => {
      if (!(row >= 0 && row < tokens.rows))
        throw new UserError("invalid-pair", `Row ${row} does not exist in a batch of ${tokens.rows}.`, {
          where: `pair ${k}`,
        });
      const places = responsePlaces(tokens, row);
      if (places.length > 0) return places;
      throw new UserError("no-response", "The response is empty.", {
        where: `pair ${k}, row ${tokens.rowIds[row]}`,
        fix: "Leave this pair out: nothing of it can be trained.",
      });
    });
    return { chosen: chosenPlaces!, rejected: rejectedPlaces! };
  });
}
