import { fstatSync, readSync } from "node:fs";
import { UserError } from "../../system/errors.ts";
import { limitRows } from "../text-file.ts";
import { collectPlaces, type Places } from "../places.ts";

const MAX_RECORD_BYTES = 64 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;
const [QUOTE, CR, LF] = [0x22, 0x0d, 0x0a] as const;
const [FIELD_START, PLAIN, QUOTED, AFTER_QUOTE] = [0, 1, 2, 3] as const;

/**
 * Finds the records of a CSV file, the header being the first, as RFC 4180 has them: a field that begins with a quote goes on to the next single
 * quote, over ends of lines. Lines end with CRLF, LF or CR; blank ones are passed over.
 *
 * @param start after a byte-order mark
 * @param where names a line for messages
 * @throws UserError naming the line of a record with more or fewer fields than the header, of a quote that is out of
 *   place or never closed, and of a record beyond 64 MB
 */
export function findRecords(fd: number, start: number, delimiter: number, where: (line: number) => string): Places {
  const { size } = fstatSync(fd);
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, size)));
  const records = collectPlaces();
  let state: number = FIELD_START;
  let [fields, width, line, recordLine, recordAt, lastWasCr] = [1, 0, 1, 1, start, false];
  const endRecord = (end: number): void => {
    if (end > recordAt) {
      if (width === 0) width = fields;
      if (fields !== width) throw ragged(fields, width, where(recordLine));
      records.add(recordAt, end, recordLine);
      limitRows(records.length, () => where(recordLine));
    }
    recordAt = end + 1;
    recordLine = line;
    fields = 1;
    state = FIELD_START;
  };
  for (let at = start; at < size;) {
    const count = readSync(fd, chunk, 0, chunk.length, at);
    if (count === 0) break;
    for (let i = 0; i < count; i++) {
      const byte = chunk[i]!;
      const isLineEnd = byte === LF || byte === CR;
      if (isLineEnd && !(byte === LF && lastWasCr)) line++;
      lastWasCr = byte === CR;
      if (state === QUOTED) {
        if (byte === QUOTE) state = AFTER_QUOTE;
      } else if (isLineEnd) endRecord(at + i);
      else if (byte === delimiter) {
        fields++;
        state = FIELD_START;
      } else if (byte === QUOTE) {
        if (state === PLAIN) throw strayQuote("a quote inside a field that does not begin with one", where(line));
        state = QUOTED; // a quote after a quote stands for one
      } else if (state === AFTER_QUOTE) throw strayQuote("text behind the quote that ends a field", where(line));
      else state = PLAIN;
    }
    at += count;
    if (at - recordAt > MAX_RECORD_BYTES) throw tooLong(state === QUOTED, where(recordLine));
  }
  if (state === QUOTED) throw new UserError("damaged-file", "a quoted field has no end", { where: where(recordLine) });
  if (recordAt < size) endRecord(size);
  return records.done();
}

function ragged(fields: number, width: number, where: string): UserError {
  return new UserError("invalid-row", `${fields} fields, but the header has ${width}`, {
    where,
    fix: 'A field that contains the separator or an end of line is put in quotes: "like, this".',
  });
}

function strayQuote(what: string, where: string): UserError {
  return new UserError("invalid-row", what, {
    where,
    fix: 'A field with quotes is put in quotes, and its own are doubled: "he said ""hi""".',
  });
}

function tooLong(isQuoted: boolean, where: string): UserError {
  const reason = isQuoted ? "is a quote not closed?" : "not CSV?";
  return new UserError("too-large", `a record of more than 64 MB: ${reason}`, { where });
}
