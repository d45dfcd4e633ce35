import type { RandomStream } from "../system/random.ts";

/** Rows whose responses are shuffled; `Tokens` of the contract fits. */
export interface ShuffledTokens {
  readonly rows: number;
  readonly width: number;
  readonly rowIds: Float64Array;
  /** 1 = token of the response. */
  readonly response: Uint8Array;
  /** What the data let each token count: those of weight 0 are not of the response. */
  readonly dataWeights?: Float32Array;
}

/**
 * The same numbers within each response in a random order, `[rows * width]`, 0 outside responses: the control that
 * token weights must beat, since every response keeps its weights and so its mass.
 *
 * @param values `[rows * width]`
 * @param randomOf the random stream of a dataset row, so that a row's order does not depend on the rows beside it
 */
export function shuffleRows(
  values: Float32Array,
  { rows, width, rowIds, response, dataWeights }: ShuffledTokens,
  randomOf: (rowId: number) => RandomStream,
): Float32Array {
  const result = new Float32Array(values.length);
  for (let b = 0; b < rows; b++) {
    const places: number[] = [];
    for (let i = b * width; i < (b + 1) * width; i++) if (response[i] && dataWeights?.[i] !== 0) places.push(i);
    const order = places.map((place) => values[place]!);
    const random = randomOf(rowIds[b]!);
    for (let k = order.length - 1; k > 0; k--) {
      const other = random.below(k + 1);
      [order[k], order[other]] = [order[other]!, order[k]!];
    }
    places.forEach((place, k) => (result[place] = order[k]!));
  }
  return result;
}
