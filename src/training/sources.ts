import type { SignalSource, TokenBatch } from "../contract/index.ts";
import { loadColumn, saveColumn, type Notice } from "../data/cache.ts";
import { makeBatch } from "../data/batches.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { forward, type ForwardOptions } from "../model/forward.ts";
import type { Decoder } from "../model/decoder.ts";

type LossSignal = "historyNll" | "referenceNll";

/**
 * Losses of a batch's tokens under a fixed model, `[rows * width]`: of the response, or of all but a row's first.
 *
 * @throws RangeError for a token id outside the vocabulary
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { scoreLosses } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const reference = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, reference.tokenizer), [0]);
 * await scoreLosses(reference, batch); //=> [0, 0, 1.444, 6.006]
 * releaseEngine();
 */
export async function scoreLosses(
  model: Decoder,
  batch: TokenBatch,
  { positions = "response" }: Pick<ForwardOptions, "positions"> = {},
): Promise<Float32Array> {
  using pass = forward(model, batch, { gradients: null, positions });
  const { logProb } = await pass.read(["logProb"]);
  return logProb.map((value) => (value === 0 ? 0 : -value));
}

/**
 * A second model that scores every batch as it comes: Rho-1's reference, or a history model of another origin.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { liveSource } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const reference = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, reference.tokenizer), [0]);
 * const source = liveSource("referenceNll", reference); // for `planSignals`
 * (await source.compute(batch)).referenceNll; //=> [0, 0, 1.444, 6.006]
 * releaseEngine();
 */
export function liveSource(
  signal: LossSignal,
  model: Decoder,
  options: Pick<ForwardOptions, "positions"> = {},
): SignalSource<LossSignal> {
  return stateless(signal, (batch) => scoreLosses(model, batch, options));
}

/**
 * Losses that were computed before, one per token in the order of the rows.
 *
 * @throws UserError, when a batch asks, for a row that has no losses
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { columnSource } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const { tokenizer } = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7], response_mask: [0, 1, 1] }]);
 * const tokens = await tokenizeDataset(rows, tokenizer);
 * const source = columnSource("referenceNll", tokens, Float32Array.of(0, 0.5, 1.5));
 * source.gives; //=> ["referenceNll"]
 * (await source.compute(makeBatch(tokens, [0]))).referenceNll; //=> [0, 0.5, 1.5]
 * releaseEngine();
 */
export function columnSource(
  signal: LossSignal,
  tokens: TokenizedDataset,
  losses: Float32Array,
): SignalSource<LossSignal> {
  const places = new Map(Array.from(tokens.rowIds, (rowId, index) => [rowId, index]));
  return stateless(signal, (batch) => {
    const values = new Float32Array(batch.rows * batch.width);
    batch.rowIds.forEach((rowId, row) => {
      const index = places.get(rowId);
      const stored =
        index === undefined ? undefined : losses.subarray(tokens.offsets[index], tokens.offsets[index + 1]);
      if (stored === undefined || stored.length !== batch.lengths[row] || Number.isNaN(stored[0]))
        throw new UserError("missing-signal", `row ${rowId} has no ${signal}`, {
          fix: "Compute the column for every row that is trained.",
        });
      values.set(stored, row * batch.width);
    });
    return Promise.resolve(values);
  });
}

function stateless(signal: LossSignal, losses: (batch: TokenBatch) => Promise<Float32Array>): SignalSource<LossSignal> {
  return {
    gives: [signal],
    compute: async (batch) => ({ [signal]: await losses(batch) }) as { [K in LossSignal]: Float32Array },
    save: () => ({}),
    restore: () => undefined,
  };
}

export interface ColumnOptions {
  /**
   * Rows (indices into `tokens`) that must have losses; the others keep NaN until they are asked for. They are scored in
   * this order, `batchSize` at a time: the last bit of a loss may depend on the rows beside it.
   */
  rows: Iterable<number>;
  /** Where the column is kept between runs; without it nothing is. */
  cacheFolder?: string;
  /** Names the model and whatever else decides the numbers. */
  key: string;
  /** Opens the model; called only if a row is missing. */
  model: () => Promise<{ model: Decoder; release: () => void }>;
  /** Rows computed at once; with `packing`, as many as packed rows of so many tokens would hold. */
  batchSize: number;
  packing?: number | undefined;
  onProgress?: (done: number, total: number) => void;
  onNotice?: Notice;
}

/**
 * The losses of a fixed model on the response tokens of a dataset, one per token in the order of the rows:
 * from the cache where it has them, computed and kept there otherwise.
 */
export async function lossColumn(tokens: TokenizedDataset, options: ColumnOptions): Promise<Float32Array> {
  const { cacheFolder, key, onProgress, onNotice } = options;
  const known = cacheFolder === undefined ? undefined : loadColumn(cacheFolder, key, tokens, onNotice);
  const losses = known ?? new Float32Array(tokens.offsets.at(-1)!).fill(NaN);
  const missing = [...new Set(options.rows)].filter((row) => Number.isNaN(losses[tokens.offsets[row]!]));
  if (missing.length === 0) return losses;
  const { model, release } = await options.model();
  try {
    let done = 0;
    while (done < missing.length) {
      onProgress?.(done, missing.length);
      const indices = missing.slice(done, done + rowsAtOnce(tokens, missing, done, options));
      const batch = makeBatch(tokens, indices);
      const values = await scoreLosses(model, batch);
      indices.forEach((index, row) => {
        const start = row * batch.width;
        losses.set(values.subarray(start, start + tokens.lengthOf(index)), tokens.offsets[index]);
      });
      done += indices.length;
      await letEventsIn();
    }
    onProgress?.(done, missing.length);
  } finally {
    release();
  }
  if (cacheFolder !== undefined) saveColumn(cacheFolder, key, tokens, losses, onNotice);
  return losses;
}

/** How many rows are computed together, from the given place in the list on. */
function rowsAtOnce(
  tokens: Pick<TokenizedDataset, "lengthOf">,
  rows: readonly number[],
  from: number,
  { batchSize, packing }: Pick<ColumnOptions, "batchSize" | "packing">,
): number {
  if (packing === undefined) return batchSize;
  let [count, space] = [0, batchSize * packing];
  while (from + count < rows.length && (space -= tokens.lengthOf(rows[from + count]!)) >= 0) count++;
  return Math.max(1, count);
}
