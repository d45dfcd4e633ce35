// Decoders of hyparquet trust the counts that they find. What they would trust is checked here before they run.
// Encodings: https://parquet.apache.org/docs/file-format/data-pages/encodings/
import type { DataReader, DecodedArray } from "hyparquet";
import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { byteStreamSplit, readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { readPlain } from "hyparquet/src/plain.js";
import { UserError } from "../../system/errors.ts";
import { DamagedFile } from "../damaged.ts";
import type { Leaf } from "./schema.ts";

const BYTES: Partial<Record<Leaf["type"], number>> = { INT32: 4, INT64: 8, INT96: 12, FLOAT: 4, DOUBLE: 8 };

/** The values of a data page as they are stored; indices if `isIndices`. */
export interface StoredValues {
  readonly values: DecodedArray;
  readonly isIndices: boolean;
}

/**
 * The values behind the levels of a page.
 *
 * @param encoding its number in the format
 * @param limit bytes that texts made of parts of others may take
 */
export function decodeValues(
  page: Uint8Array,
  encoding: number,
  leaf: Leaf,
  count: number,
  limit: number,
): StoredValues {
  if (count === 0) return { values: [], isIndices: false };
  const reader = readerOf(page);
  switch (encoding) {
    case 0:
      return { values: decodePlain(page, leaf, count), isIndices: false };
    case 2:
    case 8: {
      const width = page[0] ?? 99;
      if (width > 32) throw new DamagedFile(`indices of ${width} bits`);
      if (width === 0) return { values: new Int32Array(count), isIndices: true };
      return { values: decodeRuns(page.subarray(1), width, count), isIndices: true };
    }
    case 3: {
      if (leaf.type !== "BOOLEAN") break;
      const runs = prefixed(page, 0);
      return { values: decodeRuns(runs, 1, count).map((bit) => bit === 1), isIndices: false };
    }
    case 5: {
      if (leaf.type !== "INT32" && leaf.type !== "INT64") break;
      const numbers = leaf.type === "INT32" ? new Int32Array(count) : new BigInt64Array(count);
      unpackDelta(reader, numbers);
      return { values: numbers, isIndices: false };
    }
    case 6:
      if (leaf.type !== "BYTE_ARRAY") break;
      return { values: decodeDeltaLengths(reader, count), isIndices: false };
    case 7:
      if (leaf.type !== "BYTE_ARRAY") break;
      return { values: decodeDeltaTexts(reader, count, limit), isIndices: false };
    case 9: {
      const width = BYTES[leaf.type] ?? leaf.typeLength ?? 0;
      if (width * count !== page.length) throw new DamagedFile("a page has fewer numbers than values");
      return { values: byteStreamSplit(reader, count, leaf.type, leaf.typeLength), isIndices: false };
    }
    default:
  }
  throw new UserError(
    "unsupported-file",
    `the column ${leaf.path.join(".")} has an encoding (number ${encoding}) that is not read`,
    {
      fix: "Write the file again, in Python: pyarrow.parquet.write_table(table, path).",
    },
  );
}

/** Values as they stand one behind the other. */
export function decodePlain(page: Uint8Array, leaf: Leaf, count: number): DecodedArray {
  const least =
    leaf.type === "BOOLEAN" ? 1 / 8 : leaf.type === "BYTE_ARRAY" ? 4 : (BYTES[leaf.type] ?? leaf.typeLength ?? 0);
  if (least === 0 || count * least > page.length) throw new DamagedFile("a page has fewer bytes than its values need");
  return readPlain(readerOf(page), leaf.type, count, leaf.typeLength);
}

/** Runs of equal values and of packed bits: levels and indices. */
export function decodeRuns(bytes: Uint8Array, width: number, count: number): number[] {
  checkRuns(bytes, width, count);
  const values = new Array<number>(count);
  readRleBitPackedHybrid(readerOf(bytes), width, values, bytes.length);
  return values;
}

/** A part of a page that begins with its length in 4 bytes. */
export function prefixed(page: Uint8Array, at: number): Uint8Array {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const length = at + 4 <= page.length ? view.getUint32(at, true) : Infinity;
  if (at + 4 + length > page.length) throw new DamagedFile("a page is shorter than its parts");
  return page.subarray(at + 4, at + 4 + length);
}

/** @throws DamagedFile for runs that do not give `count` values */
function checkRuns(bytes: Uint8Array, width: number, count: number): void {
  let at = 0;
  for (let seen = 0; seen < count;) {
    let header = 0;
    for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
      byte = bytes[at++] ?? 256;
      if (byte > 255 || shift > 28) throw new DamagedFile("a page's runs are cut short");
      header += (byte & 0x7f) * 2 ** shift;
    }
    const run = Math.floor(header / 2);
    if (header % 2 === 0) {
      at += (width + 7) >> 3;
      seen += run;
      if (seen > count) throw new DamagedFile("a page's run has more values than the page");
    } else {
      // the last run is padded to 8 values, and by some writers to 64 groups of 8
      if (run > Math.ceil((count - seen) / 8) + 64) throw new DamagedFile("a page's run has more values than the page");
      at += run * width;
      seen += 8 * run;
    }
    if (at > bytes.length && seen < count) throw new DamagedFile("a page's runs are cut short");
  }
}

const MAX_DELTA_BLOCK = 2 ** 16;

function unpackDelta(reader: DataReader, numbers: Int32Array | BigInt64Array): void {
  const { view } = reader;
  let at = reader.offset;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0, byte = 0x80; byte >= 0x80; shift += 7) {
      if (at >= view.byteLength || shift > 28) throw new DamagedFile("a page's differences are cut short");
      byte = view.getUint8(at++);
      value += (byte & 0x7f) * 2 ** shift;
    }
    return value;
  };
  const [block, parts, total] = [varint(), varint(), varint()];
  const isSound =
    block > 0 && block <= MAX_DELTA_BLOCK && parts > 0 && (block / parts) % 32 === 0 && total === numbers.length;
  if (!isSound)
    throw new DamagedFile(`a page of ${numbers.length} values claims ${total} differences in blocks of ${block}`);
  deltaBinaryUnpack(reader, numbers.length, numbers);
}

function decodeDeltaLengths(reader: DataReader, count: number): Uint8Array[] {
  const lengths = new Int32Array(count);
  unpackDelta(reader, lengths);
  return Array.from(lengths, (length) => takeBytes(reader, length));
}

/** Each text is a part of the one before it and an end of its own. */
function decodeDeltaTexts(reader: DataReader, count: number, limit: number): Uint8Array[] {
  const [shared, lengths] = [new Int32Array(count), new Int32Array(count)];
  unpackDelta(reader, shared);
  unpackDelta(reader, lengths);
  let before = new Uint8Array();
  let left = limit;
  return Array.from(lengths, (length, i) => {
    const prefix = shared[i]!;
    if (prefix < 0 || prefix > before.length) throw new DamagedFile("a text shares more than the text before it has");
    const end = takeBytes(reader, length);
    left -= prefix;
    if (left < 0) throw new DamagedFile(`the texts of a page grow by more than ${limit} bytes`);
    const text = prefix === 0 ? end : Buffer.concat([before.subarray(0, prefix), end]);
    before = text as Uint8Array<ArrayBuffer>;
    return text;
  });
}

function takeBytes(reader: DataReader, length: number): Uint8Array {
  const { view, offset } = reader;
  if (length < 0 || offset + length > view.byteLength) throw new DamagedFile("a text leaves its page");
  reader.offset += length;
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

function readerOf(bytes: Uint8Array): DataReader {
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
}
