import { createHash } from "node:crypto";
import type { Sampling } from "./sampling.ts";

/** What happened to a dataset's rows on their way to tokens. */
export interface TokenizedStats {
  /** Rows in the files. */
  rows: number;
  /** Rows that were left out, by reason. */
  skipped: Record<string, number>;
  /** Rows that were cut to the token limit. */
  truncated: number;
  /** Rows that were divided into chunks, and the chunks; absent where there are none. */
  divided?: { rows: number; chunks: number };
  tokens: number;
  responseTokens: number;
  /** Rows with text that is not used, by column; absent where there is none. */
  unused?: Record<string, number>;
  /** Rows by what is to be said of them, a sentence without its end; absent where there is nothing. */
  remarks?: Record<string, number>;
}

/** One row's tokens as views on the dataset's memory. */
export interface TokenView {
  rowId: number;
  ids: Int32Array;
  /** 1 = may be trained; the first token of a row never is, as nothing predicts it. */
  response: Uint8Array;
  endOfTurn: Uint8Array;
  /**
   * What the data's author lets each token count; absent where no row of the dataset says. Outside the response it is 0,
   * but for prompts that train.
   */
  dataWeights?: Float32Array;
  columns: Record<string, Float32Array>;
}

/** All rows of a dataset as tokens, end to end in flat arrays: row `i` has the entries `offsets[i]` to `offsets[i + 1]`. */
export interface TokenizedDataset {
  /** Rows that can be trained. */
  readonly length: number;
  /** Numbers of the rows in the data; of texts packed into one row and of chunks, fractions behind it (see `packedRowId`). */
  readonly rowIds: Float64Array;
  readonly offsets: Float64Array;
  readonly ids: Int32Array;
  readonly response: Uint8Array;
  readonly endOfTurn: Uint8Array;
  /**
   * What the data's author lets each token count, on prompts what `promptWeight` gives them; absent where no row says:
   * every response token then counts 1, and no other.
   */
  readonly dataWeights?: Float32Array;
  /** Per-token columns, each as long as `ids`. */
  readonly columns: Readonly<Record<string, Float32Array>>;
  readonly stats: TokenizedStats;
  /** How often rows are drawn in training; absent where each comes as often as any other. */
  readonly sampling?: Sampling;
  /** SHA-256 of everything that decides these arrays: contents, tokenizer, template, options. */
  readonly fingerprint: string;
  row(index: number): TokenView;
  lengthOf(index: number): number;
}

export type TokenArrays = Omit<TokenizedDataset, "row" | "lengthOf" | "length">;

/** Adds the accessors to a dataset's arrays. */
export function tokenizedDataset(arrays: TokenArrays): TokenizedDataset {
  const { offsets, rowIds, ids, response, endOfTurn, dataWeights, columns } = arrays;
  return {
    ...arrays,
    length: rowIds.length,
    row(index) {
      const [from, to] = [offsets[index]!, offsets[index + 1]!];
      return {
        rowId: rowIds[index]!,
        ids: ids.subarray(from, to),
        response: response.subarray(from, to),
        endOfTurn: endOfTurn.subarray(from, to),
        ...(dataWeights && { dataWeights: dataWeights.subarray(from, to) }),
        columns: Object.fromEntries(Object.entries(columns).map(([name, all]) => [name, all.subarray(from, to)])),
      };
    },
    lengthOf: (index) => offsets[index + 1]! - offsets[index]!,
  };
}

/** SHA-256 of the arrays' contents, to find a cache file that was damaged. */
export function checksum(arrays: readonly (Int32Array | Uint8Array | Float32Array | Float64Array)[]): string {
  const hash = createHash("sha256");
  for (const array of arrays) {
    hash.update(`${array.length}\n`);
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest("hex");
}

/** A typed array that grows by doubling. */
export function growing<T extends Int32Array | Uint8Array | Float32Array | Float64Array>(
  allocate: (length: number) => T,
): { push(values: ArrayLike<number>): void; done(): T; readonly length: number } {
  let array = allocate(1024);
  let length = 0;
  return {
    push(values) {
      if (length + values.length > array.length) {
        const larger = allocate(Math.max(2 * array.length, length + values.length));
        larger.set(array.subarray(0, length));
        array = larger;
      }
      array.set(values, length);
      length += values.length;
    },
    done: () => array.slice(0, length) as T,
    get length() {
      return length;
    },
  };
}
