import { isUtf8 } from "node:buffer";
import { extname } from "node:path";
import { UserError } from "../../system/errors.ts";
import { withoutCompression } from "../compressed.ts";
import { columnNames, delimiterOf, parseRecords } from "../csv/header.ts";
import { findRecords } from "../csv/scan.ts";
import { readHead } from "../files.ts";
import type { Places } from "../places.ts";
import { reopening, type ReopeningFile } from "../reopening.ts";
import { pick } from "../row-blocks.ts";
import type { RawRow, Table } from "../table.ts";
import { notUtf8, readPart, textStart } from "../text-file.ts";
import type { Reader } from "./reader.ts";

const HEAD_BYTES = 2 ** 16;
const BLOCK_BYTES = 4 * 2 ** 20;

/**
 * CSV with a header (RFC 4180), separated by commas, semicolons or tabs; every cell is text. Only the positions of the
 * records are held in memory (one pass); rows are read and parsed when asked for.
 */
export const csv: Reader = {
  name: "CSV",
  extensions: [".csv", ".tsv"],
  isText: true,
  async open(path, { name = path } = {}) {
    const head = readHead(path, HEAD_BYTES);
    const start = textStart(head);
    refuseUtf16(head, name);
    const delimiter = delimiterOf(head.subarray(start), extname(withoutCompression(name)).toLowerCase(), name);
    const file = reopening(path);
    const lineAt = (line: number): string => `${name}, line ${line}`;
    try {
      const records = findRecords(file.fd(), start, delimiter.charCodeAt(0), lineAt);
      if (records.length === 0) throw new UserError("empty-file", "the file is empty", { where: name });
      const [header] = readRecords(file, records, 0, 1, delimiter, lineAt);
      return tableOf({
        path,
        file,
        records,
        delimiter,
        columns: columnNames(header!, lineAt(records.at(0)!.line)),
        lineAt,
      });
    } catch (error) {
      file.release();
      throw error;
    }
  },
};

interface OpenCsv {
  path: string;
  file: ReopeningFile;
  records: Places;
  delimiter: string;
  columns: readonly string[];
  lineAt: (line: number) => string;
}

function tableOf({ path, file, records, delimiter, columns, lineAt }: OpenCsv): Table {
  return {
    files: [path],
    length: records.length - 1,
    columns,
    async rows(from, to, names) {
      const first = from + 1; // the header is a record
      let last = first + 1;
      const { start } = records.at(first)!;
      while (last <= to && records.at(last)!.end - start <= BLOCK_BYTES) last++;
      const found = readRecords(file, records, first, last, delimiter, lineAt);
      const row = (fields: readonly string[]): RawRow =>
        Object.fromEntries(columns.map((name, c) => [name, fields[c]]));
      return found.map((fields) => pick(row(fields), names));
    },
    where: (index) => lineAt(records.at(index + 1)?.line ?? 0),
    close: async () => file.release(),
  };
}

/** Records `from` up to, but not including, `to`; only the first where a later one is not UTF-8. */
function readRecords(
  file: ReopeningFile,
  records: Places,
  from: number,
  to: number,
  delimiter: string,
  lineAt: (line: number) => string,
): string[][] {
  const { start, line } = records.at(from)!;
  const { end } = records.at(to - 1)!;
  const bytes = readPart(file.fd(), start, end, () => lineAt(line));
  if (!isUtf8(bytes)) {
    if (to > from + 1) return readRecords(file, records, from, from + 1, delimiter, lineAt);
    throw notUtf8(lineAt(line));
  }
  const found = parseRecords(bytes, delimiter);
  if (found.length === to - from) return found;
  throw new UserError("file-changed", "the file changed while it was read", { where: lineAt(line) });
}

function refuseUtf16(head: Uint8Array, where: string): void {
  const mark = `${head[0]},${head[1]}`;
  if (mark !== "255,254" && mark !== "254,255") return;
  throw new UserError("invalid-text", "the file is UTF-16, not UTF-8", { where, fix: "Save it as CSV UTF-8." });
}
