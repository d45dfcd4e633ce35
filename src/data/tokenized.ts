import { createHash } from "node:crypto";
import { bytesOf } from "../system/bytes-of.ts";
import type { LossCounts } from "./lossy.ts";
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

/** One row's tokens; not to be written to, as they may be the dataset's own memory. */
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

/** All rows of a dataset as tokens, in memory or read from the token cache as they are asked for. */
export interface TokenizedDataset {
  /** Rows that can be trained. */
  readonly length: number;
  /** Numbers of the rows in the data; of texts packed into one row and of chunks, fractions behind it (see `packedRowId`). */
  readonly rowIds: Float64Array;
  /** Where each row's tokens begin if all rows stand end to end, and where the last one's end: `length + 1` numbers. */
  readonly offsets: Float64Array;
  /** Names of the per-token columns. */
  readonly columnNames: readonly string[];
  /** Whether the data's author gives some token a weight: without it, every response token counts 1, and no other. */
  readonly weighed: boolean;
  readonly largestId: number;
  readonly stats: TokenizedStats;
  /** What the text lost on its way to tokens; absent where nobody counted. */
  readonly losses?: LossCounts;
  /** How often rows are drawn in training; absent where each comes as often as any other. */
  readonly sampling?: Sampling;
  /** SHA-256 of everything that decides the tokens: contents, tokenizer, template, options. */
  readonly fingerprint: string;
  row(index: number): TokenView;
  lengthOf(index: number): number;
}

/** Where rows are kept. */
export interface TokenStore extends Pick<TokenizedDataset, "columnNames" | "weighed"> {
  read(index: number): Omit<TokenView, "rowId">;
}

/** A dataset of rows that a store keeps. */
export function tokenizedDataset({
  store,
  ...facts
}: Pick<TokenizedDataset, "rowIds" | "offsets" | "stats" | "fingerprint" | "largestId" | "losses"> & {
  store: TokenStore;
}): TokenizedDataset {
  const { rowIds, offsets } = facts;
  return {
    ...facts,
    columnNames: store.columnNames,
    weighed: store.weighed,
    length: rowIds.length,
    row: (index) => ({ rowId: rowIds[index]!, ...store.read(index) }),
    lengthOf: (index) => offsets[index + 1]! - offsets[index]!,
  };
}

/** Rows end to end in flat arrays: row `i` has the entries `offsets[i]` to `offsets[i + 1]`. */
export interface TokenArrays extends Omit<TokenView, "rowId"> {
  readonly rowIds: Float64Array;
  readonly offsets: Float64Array;
}

/** Keeps rows in memory. */
export function arrayStore({ offsets, ids, response, endOfTurn, dataWeights, columns }: TokenArrays): TokenStore {
  return {
    columnNames: Object.keys(columns),
    weighed: dataWeights !== undefined,
    read(index) {
      const [from, to] = [offsets[index]!, offsets[index + 1]!];
      return {
        ids: ids.subarray(from, to),
        response: response.subarray(from, to),
        endOfTurn: endOfTurn.subarray(from, to),
        ...(dataWeights && { dataWeights: dataWeights.subarray(from, to) }),
        columns: Object.fromEntries(Object.entries(columns).map(([name, all]) => [name, all.subarray(from, to)])),
      };
    },
  };
}

/** All rows of a dataset, end to end. */
export function arraysOf(tokens: TokenizedDataset): TokenArrays {
  const { rowIds, offsets, columnNames, weighed } = tokens;
  const count = offsets.at(-1)!;
  const arrays: TokenArrays = {
    ...{ rowIds, offsets },
    ids: new Int32Array(count),
    response: new Uint8Array(count),
    endOfTurn: new Uint8Array(count),
    ...(weighed && { dataWeights: new Float32Array(count) }),
    columns: Object.fromEntries(columnNames.map((name) => [name, new Float32Array(count)])),
  };
  for (let i = 0; i < tokens.length; i++) {
    const row = tokens.row(i);
    const at = offsets[i]!;
    for (const part of ["ids", "response", "endOfTurn"] as const) arrays[part].set(row[part], at);
    if (row.dataWeights) arrays.dataWeights?.set(row.dataWeights, at);
    for (const name of columnNames) arrays.columns[name]!.set(row.columns[name]!, at);
  }
  return arrays;
}

/** SHA-256 of the arrays' contents, to find a cache file that was damaged. */
export function checksum(arrays: readonly (Int32Array | Uint8Array | Float32Array | Float64Array)[]): string {
  const hash = createHash("sha256");
  for (const array of arrays) {
    hash.update(`${array.length}\n`);
    hash.update(bytesOf(array));
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
