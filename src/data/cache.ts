import { existsSync, statSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { openArrow, type ArrowTable } from "./arrow/read.ts";
import { writeArrow } from "./arrow/write.ts";
import type { ColumnType } from "./arrow/columns.ts";
import {
  checksum,
  tokenizedDataset,
  type TokenArrays,
  type TokenizedDataset,
  type TokenizedStats,
} from "./tokenized.ts";

/** Raised when the layout of cache files changes; older files are then made anew. */
const CACHE_VERSION = "2";
const PREFIX = "column:";

/** Called with a sentence for the person at the keyboard, for example that a cache file was damaged. */
export type Notice = (sentence: string) => void;

/** Where the tokens of a fingerprint are kept. */
export function tokenCachePath(folder: string, fingerprint: string): string {
  return join(folder, `tokens-${fingerprint.slice(0, 32)}.arrow`);
}

/** Writes tokens to the cache; a folder that cannot be written is told, not an error. */
export function saveTokens(folder: string, tokens: TokenizedDataset, notice: Notice): void {
  const names = Object.keys(tokens.columns);
  const columns: Record<string, ColumnType> = {
    rowId: "float64",
    ids: "list<int32>",
    response: "list<uint8>",
    endOfTurn: "list<uint8>",
    ...(tokens.dataWeights && { dataWeights: "list<float32>" }),
    ...Object.fromEntries(names.map((name) => [PREFIX + name, "list<float32>" as const])),
  };
  const rows = (function* () {
    for (let i = 0; i < tokens.length; i++) {
      const { columns: values, ...row } = tokens.row(i);
      yield { ...row, ...Object.fromEntries(names.map((name) => [PREFIX + name, values[name]])) };
    }
  })();
  const metadata = {
    version: CACHE_VERSION,
    fingerprint: tokens.fingerprint,
    rows: String(tokens.length),
    tokens: String(tokens.ids.length),
    stats: JSON.stringify(tokens.stats),
    checksum: tokensChecksum(tokens),
  };
  writeOrTell(tokenCachePath(folder, tokens.fingerprint), columns, rows, metadata, notice);
}

/** Reads tokens from the cache and checks every length and a checksum; undefined when absent or damaged. */
export function loadTokens(folder: string, fingerprint: string, notice: Notice): TokenizedDataset | undefined {
  const path = tokenCachePath(folder, fingerprint);
  return readOrTell(path, notice, (table) => {
    const metadata = checkedMetadata(table, fingerprint, path);
    const names = [...table.columns.keys()].filter((name) => name.startsWith(PREFIX));
    const arrays: TokenArrays = {
      rowIds: new Float64Array(table.rows),
      offsets: new Float64Array(table.rows + 1),
      ids: new Int32Array(metadata.tokens),
      response: new Uint8Array(metadata.tokens),
      endOfTurn: new Uint8Array(metadata.tokens),
      ...(table.columns.has("dataWeights") && { dataWeights: new Float32Array(metadata.tokens) }),
      columns: Object.fromEntries(names.map((n) => [n.slice(PREFIX.length), new Float32Array(metadata.tokens)])),
      stats: metadata.stats,
      fingerprint,
    };
    const wanted = ["rowId", "ids", "response", "endOfTurn", ...(arrays.dataWeights ? ["dataWeights"] : []), ...names];
    for (let i = 0, at = 0; i < table.rows; i++) {
      const row = table.row(i, wanted);
      const length = (row.ids as Int32Array).length;
      const copy = (target: Int32Array | Uint8Array | Float32Array, name: string): void => {
        const values = row[name] as ArrayLike<number>;
        if (values.length !== length) throw new Error(`row ${i} has lists of different lengths`);
        target.set(values, at);
      };
      arrays.rowIds[i] = row.rowId as number;
      copy(arrays.ids, "ids");
      copy(arrays.response, "response");
      copy(arrays.endOfTurn, "endOfTurn");
      if (arrays.dataWeights) copy(arrays.dataWeights, "dataWeights");
      for (const name of names) copy(arrays.columns[name.slice(PREFIX.length)]!, name);
      at += length;
      arrays.offsets[i + 1] = at;
    }
    const tokens = tokenizedDataset(arrays);
    if (arrays.offsets[table.rows] !== metadata.tokens) throw new Error("the token count differs");
    if (tokensChecksum(tokens) !== metadata.checksum) throw new Error("the checksum differs");
    return tokens;
  });
}

/**
 * Keeps one float per token beside the token cache, for example the losses under a history model.
 *
 * @param key everything that decides the numbers besides the tokens, for example the scoring model's fingerprint
 * @param values one per token, in the order of `tokens.ids`
 */
export function saveColumn(
  folder: string,
  key: string,
  tokens: TokenizedDataset,
  values: Float32Array,
  notice: Notice = () => undefined,
): void {
  if (values.length !== tokens.ids.length) {
    throw new RangeError(`a column of ${values.length} values for ${tokens.ids.length} tokens`);
  }
  const rows = (function* () {
    for (let i = 0; i < tokens.length; i++) {
      yield { rowId: tokens.rowIds[i], values: values.subarray(tokens.offsets[i], tokens.offsets[i + 1]) };
    }
  })();
  const fingerprint = columnFingerprint(key, tokens);
  const metadata = {
    version: CACHE_VERSION,
    fingerprint,
    rows: String(tokens.length),
    tokens: String(values.length),
    checksum: checksum([values]),
  };
  writeOrTell(columnPath(folder, fingerprint), { rowId: "float64", values: "list<float32>" }, rows, metadata, notice);
}

/** The column that `saveColumn` kept under the key for the same tokens, or undefined when absent or damaged. */
export function loadColumn(
  folder: string,
  key: string,
  tokens: TokenizedDataset,
  notice: Notice = () => undefined,
): Float32Array | undefined {
  const fingerprint = columnFingerprint(key, tokens);
  const path = columnPath(folder, fingerprint);
  return readOrTell(path, notice, (table) => {
    const metadata = checkedMetadata(table, fingerprint, path);
    if (table.rows !== tokens.length || metadata.tokens !== tokens.ids.length) throw new Error("the row count differs");
    const values = new Float32Array(metadata.tokens);
    for (let i = 0; i < table.rows; i++) {
      const row = table.row(i, ["rowId", "values"]);
      const list = row.values as Float32Array;
      if (row.rowId !== tokens.rowIds[i] || list.length !== tokens.lengthOf(i)) throw new Error(`row ${i} differs`);
      values.set(list, tokens.offsets[i]!);
    }
    if (checksum([values]) !== metadata.checksum) throw new Error("the checksum differs");
    return values;
  });
}

function columnFingerprint(key: string, tokens: TokenizedDataset): string {
  return createHash("sha256").update(`${tokens.fingerprint}\n${key}`).digest("hex");
}

function columnPath(folder: string, fingerprint: string): string {
  return join(folder, `column-${fingerprint.slice(0, 32)}.arrow`);
}

function tokensChecksum(tokens: TokenizedDataset): string {
  const { rowIds, offsets, ids, response, endOfTurn, dataWeights, columns } = tokens;
  const named = Object.keys(columns).sort();
  const weights = dataWeights ? [dataWeights] : [];
  return checksum([rowIds, offsets, ids, response, endOfTurn, ...weights, ...named.map((name) => columns[name]!)]);
}

function checkedMetadata(
  table: ArrowTable,
  fingerprint: string,
  path: string,
): { tokens: number; checksum: string; stats: TokenizedStats } {
  const { metadata } = table;
  if (metadata.get("version") !== CACHE_VERSION) throw new Error("it was written by another version");
  if (metadata.get("fingerprint") !== fingerprint) throw new Error("it belongs to other data");
  if (Number(metadata.get("rows")) !== table.rows) throw new Error("the row count differs");
  const tokens = Number(metadata.get("tokens"));
  if (!Number.isInteger(tokens) || tokens < 0 || 4 * tokens > statSync(path).size)
    throw new Error("an absurd token count");
  const stats = JSON.parse(metadata.get("stats") ?? "{}") as TokenizedStats;
  return { tokens, checksum: metadata.get("checksum") ?? "", stats };
}

function readOrTell<T>(path: string, notice: Notice, read: (table: ArrowTable) => T): T | undefined {
  if (!existsSync(path)) return undefined;
  let table: ArrowTable | undefined;
  try {
    table = openArrow(path);
    return read(table);
  } catch (error) {
    notice(`the cache file ${path} is not usable (${firstLine(error)}); it is made anew`);
    return undefined;
  } finally {
    table?.close();
  }
}

function writeOrTell(
  path: string,
  columns: Record<string, ColumnType>,
  rows: Iterable<Record<string, unknown>>,
  metadata: Record<string, string>,
  notice: Notice,
): void {
  try {
    writeArrow(path, columns, rows, { format: "file", metadata });
  } catch (error) {
    notice(`nothing was cached in ${path} (${firstLine(error)})`);
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}
