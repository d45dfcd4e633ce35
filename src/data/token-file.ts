import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, rmSync } from "node:fs";
import { bytesOf } from "../system/bytes-of.ts";
import { UserError } from "../system/errors.ts";
import { openAtomicFile, writeFully } from "./atomic.ts";
import { readInto } from "./files.ts";
import type { LossCounts } from "./lossy.ts";
import {
  tokenizedDataset,
  type TokenizedDataset,
  type TokenizedStats,
  type TokenStore,
  type TokenView,
} from "./tokenized.ts";

/**
 * A file of tokens: the rows one after the other, each as int32 ids, float32 weights of the data (from the first row on
 * that has some), the float32 columns, and a byte each for response and end of turn; then float64 row numbers and
 * offsets, 16 bytes of the SHA-256 of each MiB of the rows, a JSON text, and the length of that text as a uint32. Numbers
 * are little-endian. What stands behind the rows is checked as a file is opened, and a MiB of rows as it is first read: so
 * a file of any size is open at once.
 */
const VERSION = 4;
const BLOCK = 1 << 20;
const DIGEST = 16;

/** What stands behind the rows. */
export interface TokenFileFacts {
  readonly fingerprint: string;
  readonly stats: TokenizedStats;
  readonly largestId: number;
  /** See `countLosses`. */
  readonly losses?: LossCounts | undefined;
}

interface Layout {
  readonly columnNames: readonly string[];
  /** The first row with weights of the data; the number of rows where none has. */
  readonly weightsFrom: number;
}

interface Trailer extends TokenFileFacts, Layout {
  readonly version: number;
  readonly rows: number;
  /** Bytes of the rows. */
  readonly bytes: number;
  /** SHA-256 of what stands between the rows and the JSON text, and of the text without this. */
  readonly checksum: string;
}

export interface TokenFileWriter {
  /** The name that the file will have. */
  readonly path: string;
  add(row: Omit<TokenView, "rowId">): void;
  /** Gives the file its name. */
  commit(rowIds: Float64Array, offsets: Float64Array, facts: TokenFileFacts): void;
  abandon(): void;
}

/** Starts a file of tokens, which has no name before it is whole. */
export function writeTokenFile(path: string): TokenFileWriter {
  const file = openAtomicFile(path);
  const digests = blockDigests();
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let rows = 0;
  let columnNames: string[] | undefined;
  let weightsFrom = Infinity;
  const flush = (): void => {
    const bytes = Buffer.concat(pending);
    [pending, pendingBytes] = [[], 0];
    digests.add(bytes);
    writeFully(file.fd, bytes);
  };
  const push = (array: Int32Array | Float32Array | Float64Array | Uint8Array): void => {
    pending.push(bytesOf(array));
    pendingBytes += array.byteLength;
  };
  return {
    path,
    add({ ids, response, endOfTurn, dataWeights, columns }) {
      columnNames ??= Object.keys(columns);
      if (dataWeights !== undefined) weightsFrom = Math.min(weightsFrom, rows);
      push(ids);
      if (rows >= weightsFrom) push(dataWeights ?? Float32Array.from(response));
      for (const name of columnNames) push(columns[name]!);
      push(response);
      push(endOfTurn);
      rows++;
      if (pendingBytes >= BLOCK) flush();
    },
    commit(rowIds, offsets, facts) {
      try {
        flush();
        const { bytes, all } = digests.done();
        const index = Buffer.concat([bytesOf(rowIds), bytesOf(offsets), all]);
        writeFully(file.fd, index);
        const layout: Layout = { columnNames: columnNames ?? [], weightsFrom: Math.min(weightsFrom, rows) };
        const { fingerprint, stats, largestId, losses } = facts;
        const said = { fingerprint, stats, largestId, losses, ...layout, version: VERSION, rows, bytes };
        const trailer: Trailer = { ...said, checksum: checksumOf(index, said) };
        const text = Buffer.from(JSON.stringify(trailer));
        writeFully(file.fd, Buffer.concat([text, bytesOf(Uint32Array.of(text.length))]));
      } catch (error) {
        file.abandon();
        throw error;
      }
      file.commit();
    },
    abandon: () => file.abandon(),
  };
}

/**
 * Opens a file of tokens, whose rows are then read as they are asked for. It is closed when nothing holds its rows.
 *
 * @param fingerprint of the tokens that are wanted
 * @returns the rows, and how many bytes they have
 * @throws Error saying what is wrong with it
 */
export function openTokenFile(path: string, fingerprint: string): { tokens: TokenizedDataset; bytes: number } {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const { trailer, end } = readTrailer(fd, size, fingerprint);
    const { rows, bytes, columnNames, weightsFrom, stats, largestId, losses } = trailer;
    const index = 8 * (2 * rows + 1);
    const blocks = Math.ceil(bytes / BLOCK);
    if (bytes + index + DIGEST * blocks !== end) throw new Error("its end is missing");
    const tail = read(fd, bytes, end - bytes);
    const { checksum, ...said } = trailer;
    if (checksumOf(tail, said) !== checksum) throw new Error("the checksum differs");
    const rowIds = new Float64Array(tail.buffer, 0, rows);
    const offsets = new Float64Array(tail.buffer, 8 * rows, rows + 1);
    const layout = { columnNames, weightsFrom };
    if (placeOf(rows, offsets, layout) !== bytes) throw new Error("the token count differs");
    const store = rowsOf({ path, fd, bytes, digests: tail.subarray(index) }, offsets, layout);
    const facts = { rowIds, offsets, stats, largestId, fingerprint, ...(losses && { losses }), store };
    return { tokens: tokenizedDataset(facts), bytes };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readTrailer(fd: number, size: number, fingerprint: string): { trailer: Trailer; end: number } {
  const length = size < 4 ? Infinity : new Uint32Array(read(fd, size - 4, 4).buffer)[0]!;
  const end = size - 4 - length;
  if (end < 0) throw new Error("its end is missing");
  const trailer = JSON.parse(Buffer.from(read(fd, end, length)).toString()) as Partial<Trailer>;
  if (trailer.version !== VERSION) throw new Error("it was written by another version");
  if (trailer.fingerprint !== fingerprint) throw new Error("it belongs to other data");
  return { trailer: trailer as Trailer, end };
}

function checksumOf(tail: Uint8Array, said: Omit<Trailer, "checksum">): string {
  return createHash("sha256").update(tail).update(JSON.stringify(said)).digest("hex");
}

/** Digests of bytes, block by block, as they are written. */
function blockDigests(): { add(bytes: Uint8Array): void; done(): { bytes: number; all: Uint8Array } } {
  const digests: Buffer[] = [];
  let hash = createHash("sha256");
  let bytes = 0;
  const close = (): void => {
    digests.push(hash.digest().subarray(0, DIGEST));
    hash = createHash("sha256");
  };
  return {
    add(more) {
      for (let at = 0; at < more.length;) {
        const part = more.subarray(at, at + BLOCK - (bytes % BLOCK));
        hash.update(part);
        at += part.length;
        bytes += part.length;
        if (bytes % BLOCK === 0) close();
      }
    },
    done() {
      if (bytes % BLOCK !== 0) close();
      return { bytes, all: Buffer.concat(digests) };
    },
  };
}

interface RowBytes {
  readonly path: string;
  readonly fd: number;
  /** How many, from the file's beginning on. */
  readonly bytes: number;
  readonly digests: Uint8Array;
}

/** Reads rows' bytes; a block is checked when the first byte of it is asked for. */
function checkedReader({
  path,
  fd,
  bytes,
  digests,
}: RowBytes): (from: number, length: number) => Uint8Array<ArrayBuffer> {
  const isChecked = new Uint8Array(Math.ceil(bytes / BLOCK));
  return (from, length) => {
    for (let block = Math.floor(from / BLOCK); block * BLOCK < from + length; block++) {
      if (isChecked[block] === 1) continue;
      const whole = read(fd, block * BLOCK, Math.min(BLOCK, bytes - block * BLOCK));
      const digest = createHash("sha256").update(whole).digest().subarray(0, DIGEST);
      if (!digest.equals(digests.subarray(block * DIGEST, (block + 1) * DIGEST))) throw damaged(path);
      isChecked[block] = 1;
    }
    return read(fd, from, length);
  };
}

/** A damaged file is not kept: the next reading makes it anew. */
function damaged(path: string): UserError {
  rmSync(path, { force: true });
  return new UserError("damaged-file", "this file of the token cache is damaged: its contents are not those written", {
    where: path,
    fix: "It was removed: start again, or continue with --resume, and it is made anew. Check the disk and the memory.",
  });
}

const files = new FinalizationRegistry<number>(closeSync);

function rowsOf(file: RowBytes, offsets: Float64Array, layout: Layout): TokenStore {
  const { columnNames, weightsFrom } = layout;
  const rows = offsets.length - 1;
  const readRows = checkedReader(file);
  /** Rows that are read one after the other come in blocks. */
  let block = { from: 0, bytes: new Uint8Array() };
  let next = 0;
  const bytesAt = (from: number, length: number): Uint8Array => {
    const isNext = from === next;
    next = from + length;
    const within = from - block.from;
    if (within >= 0 && within + length <= block.bytes.length) return block.bytes.slice(within, within + length);
    if (!isNext || length >= BLOCK) return readRows(from, length);
    block = { from, bytes: readRows(from, Math.min(BLOCK, file.bytes - from)) };
    return block.bytes.slice(0, length);
  };
  const store: TokenStore = {
    columnNames,
    weighed: weightsFrom < rows,
    read(index) {
      const length = offsets[index + 1]! - offsets[index]!;
      const from = placeOf(index, offsets, layout);
      const { buffer } = bytesAt(from, placeOf(index + 1, offsets, layout) - from);
      const floats = (place: number): Float32Array => new Float32Array(buffer, 4 * length * place, length);
      const hasWeights = index >= weightsFrom;
      const firstColumn = hasWeights ? 2 : 1;
      const marks = 4 * length * (firstColumn + columnNames.length);
      const response = new Uint8Array(buffer, marks, length);
      return {
        ids: new Int32Array(buffer, 0, length),
        response,
        endOfTurn: new Uint8Array(buffer, marks + length, length),
        ...(weightsFrom < rows && { dataWeights: hasWeights ? floats(1) : Float32Array.from(response) }),
        columns: Object.fromEntries(columnNames.map((name, i) => [name, floats(firstColumn + i)])),
      };
    },
  };
  files.register(store, file.fd);
  return store;
}

/** Where a row begins. */
function placeOf(row: number, offsets: Float64Array, { columnNames, weightsFrom }: Layout): number {
  const weighed = row > weightsFrom ? offsets[row]! - offsets[weightsFrom]! : 0;
  return offsets[row]! * (6 + 4 * columnNames.length) + 4 * weighed;
}

function read(fd: number, from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  readInto(fd, from, bytes);
  return bytes;
}
