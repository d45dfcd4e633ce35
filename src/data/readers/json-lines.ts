import { fstatSync, readFileSync, readSync, statSync } from "node:fs";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { parseExactJson } from "../../system/exact-json.ts";
import { readHead } from "../files.ts";
import { collectPlaces, type Places } from "../places.ts";
import { reopening } from "../reopening.ts";
import { pick, rowBlock } from "../row-blocks.ts";
import type { RawRow, Table } from "../table.ts";
import { limitRows, notUtf8, readPart, textStart } from "../text-file.ts";
import type { Reader } from "./reader.ts";

const MAX_LINE_BYTES = 64 * 2 ** 20;
const MAX_ARRAY_FILE_BYTES = 256 * 2 ** 20;
/** Lists and objects in a row, and in a file of one array. */
const MAX_PARTS_OF_LINE = 2_000_000;
const MAX_PARTS_OF_ARRAY = 8_000_000;
/** Rows that are looked at for the names of columns: so many at the beginning, and more that are spread over the rest. */
const COLUMN_SAMPLE = 100;
const SPREAD_SAMPLE = 400;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** JSON Lines, and a `.json` file that holds one array of objects. */
export const jsonLines: Reader = {
  name: "JSON Lines",
  extensions: [".jsonl", ".ndjson", ".json"],
  magic: (head) => /^[[{]/.test(firstCharacter(head)),
  isText: true,
  open: async (path, { name = path } = {}) =>
    firstCharacter(readHead(path)) === "[" ? openJsonArray(path, name) : openJsonLines(path, name),
};

/** The first character that is neither white space nor a byte-order mark. */
function firstCharacter(head: Uint8Array): string {
  return Buffer.from(head)
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart()
    .charAt(0);
}

/**
 * Opens a JSON Lines file: one object per line. Blank lines, a byte-order mark, CRLF and a missing last newline are
 * fine. Only the positions of the lines are held in memory (one pass); a row is read and parsed when asked for.
 *
 * @throws UserError naming file and line for a line that is not UTF-8, not a JSON object, or longer than 64 MB
 */
function openJsonLines(path: string, name: string): Table {
  const file = reopening(path);
  try {
    const lines = findLines(name, file.fd());
    const where = (index: number): string => `${name}, line ${lines.at(index)?.line ?? "?"}`;
    const parse = (index: number): RawRow => {
      const { start, end } = lines.at(index)!;
      const bytes = readPart(file.fd(), start, end, () => where(index));
      return asObject(parseJson(bytes, where(index), MAX_PARTS_OF_LINE), where(index));
    };
    return tableOf(path, lines.length, parse, where, file.release);
  } catch (error) {
    file.release();
    throw error;
  }
}

/** Opens a `.json` file that holds one array of objects, read as a whole: at most 256 MB. */
function openJsonArray(path: string, name: string): Table {
  const { size } = statSync(path);
  if (size > MAX_ARRAY_FILE_BYTES) {
    throw new UserError("too-large", `a JSON array of ${size} bytes must be read as a whole; at most 256 MB are`, {
      where: name,
      fix: "Write it as JSON Lines: jq -c '.[]' data.json > data.jsonl.",
    });
  }
  const rows = parseJson(readFileSync(path), name, MAX_PARTS_OF_ARRAY);
  if (!Array.isArray(rows)) throw new UserError("invalid-row", "not an array of objects", { where: name });
  const where = (index: number): string => `${name}, entry ${index}`;
  return tableOf(
    path,
    rows.length,
    (index) => asObject(rows[index], where(index)),
    where,
    () => undefined,
  );
}

function tableOf(
  path: string,
  length: number,
  parse: (index: number) => RawRow,
  where: (index: number) => string,
  close: () => void,
): Table {
  const columns = new Set<string>();
  const addKeys = (index: number): void => {
    for (const key of Object.keys(parse(index))) columns.add(key);
  };
  const step = Math.max(1, Math.ceil((length - COLUMN_SAMPLE) / SPREAD_SAMPLE));
  for (let i = 0; i < Math.min(length, COLUMN_SAMPLE); i++) addKeys(i);
  try {
    for (let i = COLUMN_SAMPLE; i < length; i += step) addKeys(i);
  } catch (error) {
    if (!(error instanceof UserError)) throw error; // a damaged row is for who reads it
  }
  /** Also what stands under names that are not among the columns, so that it can be named. */
  const chosen = (row: RawRow, names: readonly string[]): RawRow => {
    const late = Object.keys(row).filter((key) => !columns.has(key));
    return pick(row, late.length === 0 ? names : [...names, ...late]);
  };
  return {
    files: [path],
    length,
    columns: [...columns],
    rows: async (from, to, names) => rowBlock(from, to, (index) => chosen(parse(index), names)),
    async columnsIn(from, to) {
      const found = new Set<string>();
      for (let index = from; index < to; index++) for (const key of Object.keys(parse(index))) found.add(key);
      return [...found];
    },
    where,
    close: async () => close(),
  };
}

/** The places of the lines that are not blank. */
function findLines(name: string, fd: number): Places {
  const { size } = fstatSync(fd);
  const chunk = Buffer.allocUnsafe(Math.min(2 ** 20, size));
  const lines = collectPlaces();
  let number = 1;
  let start = 0;
  let blank = true;
  const endLine = (end: number): void => {
    if (end - start > MAX_LINE_BYTES) throw lineTooLong(name, number);
    if (!blank) lines.add(start, end, number);
    limitRows(lines.length, () => name);
    number++;
    start = end + 1;
    blank = true;
  };
  for (let at = 0; at < size;) {
    const count = readSync(fd, chunk, 0, chunk.length, at);
    if (count === 0) break;
    const bytes = chunk.subarray(0, count);
    for (let i = at === 0 ? textStart(chunk) : 0; i < count;) {
      const newline = bytes.indexOf(0x0a, i);
      const end = newline < 0 ? count : newline;
      for (let k = i; blank && k < end; k++) blank = bytes[k]! <= 0x20;
      if (newline >= 0) endLine(at + end);
      i = end + 1;
    }
    at += count;
    if (at - start > MAX_LINE_BYTES) throw lineTooLong(name, number);
  }
  if (start < size) endLine(size);
  return lines.done();
}

function lineTooLong(name: string, number: number): UserError {
  return new UserError("too-large", "a line of more than 64 MB: not JSON Lines?", { where: `${name}, line ${number}` });
}

function parseJson(bytes: Uint8Array, where: string, mostParts: number): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw notUtf8(where);
  }
  try {
    return parseExactJson(text, { mostParts });
  } catch (error) {
    throw new UserError("invalid-json", `not valid JSON (${(error as Error).message})`, { where, cause: error });
  }
}

function asObject(value: unknown, where: string): RawRow {
  if (isRecord(value)) return value;
  throw new UserError("invalid-row", "not a JSON object", {
    where,
    fix: 'Each row is an object such as {"prompt": "...", "response": "..."}.',
  });
}
