import type { TokenBatch } from "../../contract/index.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import type { GatedShape } from "../shape.ts";
import { gatedBatch, type RowKind } from "./layout.ts";

/** A batch's cache with the queries whose attention on it gates are to foresee. */
export interface FutureShape extends GatedShape {
  /** `[rows]`: a key counts for queries that are at least so many tokens behind it. */
  readonly reach: Int32Array;
  /** `[rows * width]`: 1 = the attention that the token pays counts. */
  readonly queries: Uint8Array;
  /** `[rows]`: 1 = there is something to learn: a token that may be evicted, and a query far enough behind it. */
  readonly taught: Uint8Array;
}

type Rows = Pick<TokenBatch, "rows" | "width" | "lengths" | "response" | "dataWeights">;

/**
 * What gates of a batch are to foresee. Of a row with a prompt the queries are its response tokens, but for those that the
 * data give the weight 0 and for the row's last token, which predicts nothing. In plain text every token is one, for
 * keys that lie before its window.
 *
 * @throws UserError for lengths or options that do not fit
 */
export function futureBatch(batch: Rows, keyValueHeads: number, kind: RowKind, options: ExemptionOptions): FutureShape {
  const { rows, width, lengths, response, dataWeights } = batch;
  const shape = gatedBatch(batch, keyValueHeads, kind, options);
  const { evictable, reach } = shape;
  const queries = new Uint8Array(rows * width);
  const taught = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const [start, length] = [row * width, lengths[row]!];
    const answers = kind === "prompts" && response.subarray(start, start + length).includes(1);
    for (let i = start; i < start + length; i++) {
      const counts = response[i] === 1 && dataWeights?.[i] !== 0 && i < start + length - 1;
      queries[i] = Number(!answers || counts);
    }
    const first = evictable.subarray(start, start + length).indexOf(1);
    const last = queries.subarray(start, start + length).lastIndexOf(1);
    taught[row] = Number(first >= 0 && last - first >= reach[row]!);
  }
  return { ...shape, queries, taught };
}
