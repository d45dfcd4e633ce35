import { UserError } from "../system/errors.ts";

/** A data set of several that are read as one. */
export interface DatasetPart {
  readonly name: string;
  /** Number of its first row in the whole. */
  readonly from: number;
  /** See `DataItem`; absent where no data set of the list has one. */
  readonly weight?: number;
}

/** How often the rows of each data set of a mixture are drawn. */
export interface Sampling {
  /** What messages call the data sets. */
  readonly names: readonly string[];
  /** Index of the first row of each data set, and last the number of all rows. */
  readonly starts: readonly number[];
  /** Above 0, in relation to each other. */
  readonly weights: readonly number[];
}

/**
 * How the rows of several data sets are drawn; undefined where no data set has a weight.
 *
 * @throws UserError that names a data set without a row to train on
 */
export function samplingOf(
  parts: readonly DatasetPart[],
  { rowIds, length }: { readonly rowIds: Float64Array; readonly length: number },
): Sampling | undefined {
  if (parts.length < 2 || parts.some(({ weight }) => weight === undefined)) return undefined;
  const starts = [...parts.map(({ from }) => firstFrom(rowIds, from)), length];
  for (const [i, { name }] of parts.entries())
    if (starts[i] === starts[i + 1])
      throw new UserError("no-usable-rows", `data set ${i + 1} of the mixture has no row that can be trained`, {
        where: name,
        fix: "Leave it out, or give it the weight 0; a limit of the whole list also cuts its last data sets off.",
      });
  return { names: parts.map(({ name }) => name), starts, weights: parts.map(({ weight }) => weight!) };
}

/** Index of the first of the ascending numbers that is not below `least`. */
function firstFrom(numbers: Float64Array, least: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Rows that each data set has in an epoch, which is as many rows as all of them have together: these are shared out by
 * weight, by the largest remainders, and no data set has none.
 *
 * @example
 * import { epochShares } from "./sampling.ts";
 *
 * epochShares({ names: ["a", "b"], starts: [0, 2, 10], weights: [3, 1] }); //=> [8, 2]: 7.5 and 2.5, the earlier first
 */
export function epochShares({ starts, weights }: Sampling): number[] {
  const rows = starts.at(-1)!;
  const largest = Math.max(...weights);
  const total = weights.reduce((sum, weight) => sum + weight / largest, 0);
  const exact = weights.map((weight) => (rows * (weight / largest)) / total);
  const shares = exact.map((share) => Math.max(1, Math.floor(share + 1e-9)));
  let left = rows - shares.reduce((sum, share) => sum + share, 0);
  const change = Math.sign(left);
  while (left !== 0) {
    const owed = exact.map((share, i) => (shares[i]! + change < 1 ? -Infinity : change * (share - shares[i]!)));
    shares[owed.indexOf(Math.max(...owed))]! += change;
    left -= change;
  }
  return shares;
}

/**
 * The rows of an epoch, counted from 0. Every data set goes on where it was at the end of the epoch before, and all its
 * rows come once before any comes again: in a new order each time, and mixed with the others', or in their own order and
 * evenly among the others'.
 *
 * @param permutation the numbers below `n` in an order that the names decide
 */
export function mixedOrder(
  sampling: Sampling,
  { seed, shuffle, epoch }: { seed: number; shuffle: boolean; epoch: number },
  permutation: (n: number, ...names: (string | number)[]) => Uint32Array,
): Uint32Array {
  const { starts } = sampling;
  const shares = epochShares(sampling);
  const drawn = new Uint32Array(starts.at(-1)!);
  const moments = shuffle ? undefined : new Float64Array(drawn.length);
  let at = 0;
  for (const [set, share] of shares.entries()) {
    const [first, rows] = [starts[set]!, starts[set + 1]! - starts[set]!];
    let order: Uint32Array | undefined;
    for (let draw = 0; draw < share; draw++, at++) {
      const number = epoch * share + draw;
      const place = number % rows;
      if (shuffle && (order === undefined || place === 0))
        order = permutation(rows, seed, "order", "set", set, Math.floor(number / rows));
      drawn[at] = first + (order?.[place] ?? place);
      if (moments) moments[at] = (draw + 0.5) / share;
    }
  }
  const turns = moments
    ? Uint32Array.from(moments.keys()).sort((a, b) => moments[a]! - moments[b]! || a - b)
    : permutation(drawn.length, seed, "order", epoch);
  return turns.map((turn) => drawn[turn]!);
}
