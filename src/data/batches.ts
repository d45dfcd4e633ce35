import type { TokenBatch } from "../contract/index.ts";
import { permutation, rowAt, type EpochOrderOptions, type Orderable } from "./epoch-order.ts";
import { packedRows } from "./packed-rows.ts";
import type { TokenizedDataset } from "./tokenized.ts";

/** In which order rows are trained. */
export interface OrderOptions extends EpochOrderOptions {
  /** Rows per optimizer step; packed rows, where `packing` is given. */
  batchSize: number;
  /**
   * Most tokens of a packed row: rows that fit together count as one in `batchSize`. They stay rows of their own: no
   * token attends another row. Without `shuffle`, rows are joined in the file's order.
   */
  packing?: number | undefined;
  /**
   * Rows of similar length come together: the rows of this many steps in a row are sorted by length before they are
   * dealt out, and the steps are shuffled again. 1 (default) leaves the order alone. Needs `shuffle`; not together with
   * `packing`.
   */
  bucket?: number;
}

/**
 * Rows (indices into the dataset) of an optimizer step, counted from 0. A pure function of its arguments, so
 * that a resumed run needs the step number alone, and independent of the micro-batch size.
 *
 * Epochs follow each other without a gap: where the dataset ends inside a step, the step goes on with the next epoch. An
 * epoch has as many rows as the dataset: each once, or where the dataset is a mixture with weights, as many of each data
 * set as its weight says (see `DataItem`).
 *
 * @throws RangeError for a dataset without rows, `packing` together with `bucket`, and a row longer than `packing`
 * @example
 * import { rowsOfStep } from "tokensift/data";
 *
 * // a dataset of five rows, of 3, 4, 5, 6 and 7 tokens
 * const dataset = { length: 5, lengthOf: (index: number) => index + 3 };
 * rowsOfStep(dataset, { seed: 42, batchSize: 2 }, 0); //=> [3, 1]
 * rowsOfStep(dataset, { seed: 42, batchSize: 2, shuffle: false }, 2); //=> [4, 0]
 * // two packed rows of at most 10 tokens, of 6 + 4 and of 5
 * rowsOfStep(dataset, { seed: 42, batchSize: 2, packing: 10 }, 0); //=> [3, 1, 2]
 */
export function rowsOfStep(dataset: Orderable, options: OrderOptions, step: number): number[] {
  const { seed, shuffle = true, batchSize, bucket = 1, packing } = options;
  if (dataset.length === 0) throw new RangeError("a dataset without rows has no order");
  if (packing !== undefined) return packedRowsOfStep(dataset, { ...options, packing }, step).flat();
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

function packedRowsOfStep(dataset: Orderable, options: OrderOptions & { packing: number }, step: number): number[][] {
  const { batchSize, bucket = 1 } = options;
  if (bucket > 1) throw new RangeError("bucket sorts rows by length, which packed rows have no use for: leave it out");
  return packedRows(dataset, options, step * batchSize, batchSize);
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
 * @param options.microBatchSize rows of a micro-batch, packed ones where `packing` is given; default all of the step's
 * @throws RangeError as `rowsOfStep`
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
 *
 * // two micro-batches of two packed rows, each of at most 256 tokens
 * const packed = stepBatches(tokens, { seed: 42, packing: 256, batchSize: 4, microBatchSize: 2 }, 0);
 * packed.map(({ rows }) => rows); //=> [7, 8]
 * packed.map(({ lengths }) => lengths.reduce((a, b) => a + b)); //=> [512, 508]
 * releaseEngine();
 */
export function stepBatches(dataset: TokenizedDataset, options: MicroBatchOptions, step: number): TokenBatch[] {
  return microBatchesOfStep(dataset, options, step).map((part) => makeBatch(dataset, part));
}

/** In which order rows are trained, and how many of them are computed at once. */
export type MicroBatchOptions = OrderOptions & { microBatchSize?: number | undefined };

/** The rows of each of a step's micro-batches. */
export function microBatchesOfStep(
  dataset: Orderable,
  { microBatchSize, ...order }: MicroBatchOptions,
  step: number,
): number[][] {
  const { batchSize, packing } = order;
  const size = microBatchSize ?? batchSize;
  if (packing === undefined) return splitMicroBatches(dataset, rowsOfStep(dataset, order, step), size);
  const packed = packedRowsOfStep(dataset, { ...order, packing }, step);
  return Array.from({ length: Math.ceil(packed.length / size) }, (_, i) =>
    packed.slice(i * size, (i + 1) * size).flat(),
  );
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
  const names = dataset.columnNames;
  const batch = {
    rows,
    width,
    rowIds: new Float64Array(rows),
    lengths: new Int32Array(rows),
    ids: new Int32Array(rows * width),
    response: new Uint8Array(rows * width),
    endOfTurn: new Uint8Array(rows * width),
    ...(dataset.weighed && { dataWeights: new Float32Array(rows * width) }),
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
