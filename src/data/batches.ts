import type { TokenBatch } from "../contract/index.ts";
import { stream } from "../system/random.ts";
import { mixedOrder } from "./sampling.ts";
import type { TokenizedDataset } from "./tokenized.ts";

/** In which order rows are trained. */
export interface OrderOptions {
  seed: number;
  /** False keeps the file's order in every epoch, and spreads the data sets of a mixture evenly. Default true. */
  shuffle?: boolean;
  /** Rows per optimizer step. */
  batchSize: number;
  /**
   * Rows of similar length come together: the rows of this many steps in a row are sorted by length before they are
   * dealt out, and the steps are shuffled again. 1 (default) leaves the order alone. Needs `shuffle`.
   */
  bucket?: number;
}

/** What an order needs to know of a dataset. */
export type Orderable = Pick<TokenizedDataset, "length" | "lengthOf" | "sampling">;

/**
 * Rows (indices into the dataset) of an optimizer step, counted from 0. A pure function of its arguments, so
 * that a resumed run needs the step number alone, and independent of the micro-batch size.
 *
 * Epochs follow each other without a gap: where the dataset ends inside a step, the step goes on with the next epoch. An
 * epoch has as many rows as the dataset: each once, or where the dataset is a mixture with weights, as many of each data
 * set as its weight says (see `DataItem`).
 *
 * @example
 * import { rowsOfStep } from "tokensift/data";
 *
 * // a dataset of five rows, of 3, 4, 5, 6 and 7 tokens
 * const dataset = { length: 5, lengthOf: (index: number) => index + 3 };
 * rowsOfStep(dataset, { seed: 42, batchSize: 2 }, 0); //=> [3, 1]
 * rowsOfStep(dataset, { seed: 42, batchSize: 2, shuffle: false }, 2); //=> [4, 0]
 */
export function rowsOfStep(dataset: Orderable, options: OrderOptions, step: number): number[] {
  const { seed, shuffle = true, batchSize, bucket = 1 } = options;
  if (dataset.length === 0) throw new RangeError("a dataset without rows has no order");
  if (!shuffle || bucket <= 1) {
    return Array.from({ length: batchSize }, (_, i) => rowAt(dataset, options, step * batchSize + i));
  }
  const window = Math.floor(step / bucket);
  const size = bucket * batchSize;
  const rows = Array.from({ length: size }, (_, i) => rowAt(dataset, options, window * size + i));
  rows.sort((a, b) => dataset.lengthOf(a) - dataset.lengthOf(b));
  const turn = permutation(bucket, seed, "bucket", window)[step % bucket]!;
  return rows.slice(turn * batchSize, (turn + 1) * batchSize);
}

/** Divides a step's rows into micro-batches of similar length, shortest first, so that little is padding. */
export function splitMicroBatches(
  dataset: Pick<Orderable, "lengthOf">,
  rows: readonly number[],
  microBatchSize: number,
): number[][] {
  const sorted = rows.toSorted((a, b) => dataset.lengthOf(a) - dataset.lengthOf(b));
  const count = Math.ceil(rows.length / microBatchSize);
  return Array.from({ length: count }, (_, i) => sorted.slice(i * microBatchSize, (i + 1) * microBatchSize));
}

/**
 * The micro-batches of an optimizer step, counted from 0: the step's rows, those of similar length together.
 * @param options.microBatchSize rows of a micro-batch; default all of the step's
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { openDataset, stepBatches, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const { tokenizer } = await loadModel("models/tiny");
 * const tokens = await tokenizeDataset(await openDataset("datasets/word-problems/validation.arrow"), tokenizer);
 * const batches = stepBatches(tokens, { seed: 42, batchSize: 16, microBatchSize: 8 }, 0);
 * batches.map(({ rows }) => rows); //=> [8, 8]
 * releaseEngine();
 */
export function stepBatches(
  dataset: TokenizedDataset,
  { microBatchSize, ...order }: OrderOptions & { microBatchSize?: number | undefined },
  step: number,
): TokenBatch[] {
  const rows = rowsOfStep(dataset, order, step);
  return splitMicroBatches(dataset, rows, microBatchSize ?? order.batchSize).map((part) => makeBatch(dataset, part));
}

/**
 * Puts rows into a right-padded batch as wide as the longest of them.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const { tokenizer } = await loadModel("models/tiny");
 * const dataset = fromRows([
 *   { input_ids: [5, 6, 7], response_mask: [0, 1, 1] },
 *   { input_ids: [8, 9], response_mask: [0, 1] },
 * ]);
 * const batch = makeBatch(await tokenizeDataset(dataset, tokenizer), [0, 1]);
 * [batch.rows, batch.width]; //=> [2, 3]
 * batch.ids; //=> [5, 6, 7, 8, 9, 0]
 * batch.response; //=> [0, 1, 1, 0, 1, 0]
 * batch.lengths; //=> [3, 2]
 * releaseEngine();
 */
export function makeBatch(dataset: TokenizedDataset, indices: readonly number[]): TokenBatch {
  const rows = indices.length;
  const width = indices.reduce((widest, index) => Math.max(widest, dataset.lengthOf(index)), 0);
  const names = Object.keys(dataset.columns);
  const batch = {
    rows,
    width,
    rowIds: new Float64Array(rows),
    lengths: new Int32Array(rows),
    ids: new Int32Array(rows * width),
    response: new Uint8Array(rows * width),
    endOfTurn: new Uint8Array(rows * width),
    ...(dataset.dataWeights && { dataWeights: new Float32Array(rows * width) }),
    columns: Object.fromEntries(names.map((name) => [name, new Float32Array(rows * width)])),
  };
  indices.forEach((index, r) => {
    const row = dataset.row(index);
    batch.rowIds[r] = row.rowId;
    batch.lengths[r] = row.ids.length;
    batch.ids.set(row.ids, r * width);
    batch.response.set(row.response, r * width);
    batch.endOfTurn.set(row.endOfTurn, r * width);
    if (row.dataWeights) batch.dataWeights?.set(row.dataWeights, r * width);
    for (const name of names) batch.columns[name]!.set(row.columns[name]!, r * width);
  });
  return batch;
}

/** The row at a position of the endless order. */
function rowAt(dataset: Orderable, { seed, shuffle = true }: OrderOptions, position: number): number {
  const epoch = Math.floor(position / dataset.length);
  const within = position - epoch * dataset.length;
  if (!shuffle && dataset.sampling === undefined) return within;
  return epochOrder(dataset, { seed, shuffle, epoch })[within]!;
}

/** The last orders asked for, so that a step does not shuffle the whole dataset. */
const orders = new WeakMap<Orderable, Map<string, Uint32Array>>();

function epochOrder(dataset: Orderable, options: { seed: number; shuffle: boolean; epoch: number }): Uint32Array {
  const { length, sampling } = dataset;
  const { seed, shuffle, epoch } = options;
  const known = orders.get(dataset) ?? new Map<string, Uint32Array>();
  orders.set(dataset, known);
  const key = `${seed}/${epoch}/${shuffle}`;
  const made = () =>
    sampling ? mixedOrder(sampling, options, permutation) : permutation(length, seed, "order", epoch);
  const order = known.get(key) ?? made();
  if (known.size >= 4 && !known.has(key)) known.delete(known.keys().next().value!);
  known.set(key, order);
  return order;
}

/** The numbers below `n` in an order that the names decide. */
export function permutation(n: number, ...names: (string | number)[]): Uint32Array {
  const random = stream(...names);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
