import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { isOwnerGone } from "../system/owner-mark.ts";
import { openArrow, type ArrowTable } from "./arrow/read.ts";
import { writeArrow } from "./arrow/write.ts";
import type { ColumnType } from "./arrow/columns.ts";
import { openTokenFile, writeTokenFile, type TokenFileWriter } from "./token-file.ts";
import { arrayStore, arraysOf, checksum, tokenizedDataset, type TokenizedDataset } from "./tokenized.ts";

/** Raised when the layout of kept columns changes; older files are then made anew. */
const CACHE_VERSION = "2";

/** Called with a sentence for the person at the keyboard, for example that a cache file was damaged. */
export type Notice = (sentence: string) => void;

/** Where the tokens of a fingerprint are kept. */
export function tokenCachePath(folder: string, fingerprint: string): string {
  return join(folder, `tokens-${fingerprint.slice(0, 32)}.bin`);
}

/** Removes what processes that were killed have left of files that they were writing. */
export function sweepCache(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // no folder yet, or none that can be read, which is told where it is written to
  }
  for (const name of names.filter((each) => ownFile.test(each) && isOwnerGone(each)))
    rmSync(join(folder, name), { force: true });
}

const ownFile = /^(?:tokens-[0-9a-f]{32}\.bin|column-[0-9a-f]{32}\.arrow)\./;

/** Starts a file of the cache; a folder that cannot be written is told, not an error. */
export function startTokens(folder: string, fingerprint: string, notice: Notice): TokenFileWriter | undefined {
  const path = tokenCachePath(folder, fingerprint);
  return tellFailure(path, notice, () => writeTokenFile(path));
}

/** Writes tokens to the cache; a folder that cannot be written is told, not an error. */
export function saveTokens(folder: string, tokens: TokenizedDataset, notice: Notice): void {
  const file = startTokens(folder, tokens.fingerprint, notice);
  if (file === undefined) return;
  tellFailure(file.path, notice, () => {
    try {
      for (let i = 0; i < tokens.length; i++) file.add(tokens.row(i));
    } catch (error) {
      file.abandon();
      throw error;
    }
    file.commit(tokens.rowIds, tokens.offsets, tokens);
  });
}

/**
 * Takes tokens from the cache and checks them; undefined when absent or damaged.
 * @param memory bytes of tokens that are held in memory; rows of larger files are read as they are asked for
 */
export function loadTokens(
  folder: string,
  fingerprint: string,
  notice: Notice,
  memory = Infinity,
): TokenizedDataset | undefined {
  const path = tokenCachePath(folder, fingerprint);
  if (!existsSync(path)) return undefined;
  try {
    const { tokens, bytes } = openTokenFile(path, fingerprint);
    return bytes > memory ? tokens : tokenizedDataset({ ...tokens, store: arrayStore(arraysOf(tokens)) });
  } catch (error) {
    notice(`the cache file ${path} is not usable (${firstLine(error)}); it is made anew`);
    return undefined;
  }
}

/**
 * Keeps one float per token beside the token cache, for example the losses under a history model.
 *
 * @param key everything that decides the numbers besides the tokens, for example the scoring model's fingerprint
 * @param values one per token, in the order of the rows
 */
export function saveColumn(
  folder: string,
  key: string,
  tokens: TokenizedDataset,
  values: Float32Array,
  notice: Notice = () => undefined,
): void {
  const count = tokens.offsets.at(-1)!;
  if (values.length !== count) throw new RangeError(`a column of ${values.length} values for ${count} tokens`);
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
    if (table.rows !== tokens.length || metadata.tokens !== tokens.offsets.at(-1)!)
      throw new Error("the row count differs");
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

function checkedMetadata(table: ArrowTable, fingerprint: string, path: string): { tokens: number; checksum: string } {
  const { metadata } = table;
  if (metadata.get("version") !== CACHE_VERSION) throw new Error("it was written by another version");
  if (metadata.get("fingerprint") !== fingerprint) throw new Error("it belongs to other data");
  if (Number(metadata.get("rows")) !== table.rows) throw new Error("the row count differs");
  const tokens = Number(metadata.get("tokens"));
  if (!Number.isInteger(tokens) || tokens < 0 || 4 * tokens > statSync(path).size)
    throw new Error("an absurd token count");
  return { tokens, checksum: metadata.get("checksum") ?? "" };
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
  tellFailure(path, notice, () => writeArrow(path, columns, rows, { format: "file", metadata }));
}

function tellFailure<T>(path: string, notice: Notice, write: () => T): T | undefined {
  try {
    return write();
  } catch (error) {
    notice(`nothing was cached in ${path} (${firstLine(error)})`);
    return undefined;
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}
