import { fstatSync, readdirSync } from "node:fs";
import { DataType, RecordBatchReader, type Data, type Field, type RecordBatch, type Schema } from "apache-arrow";
import { UserError } from "../../system/errors.ts";
import { namedTwice, repeatedName } from "../column-names.ts";
import { DamagedFile, damagedFile } from "../damaged.ts";
import { readHead, readInto } from "../files.ts";
import { partOf, startsOf } from "../parts.ts";
import { reopening, type ReopeningFile } from "../reopening.ts";
import { cell, startRow } from "./cells.ts";
import { prepareDecompression } from "./compression.ts";
import { child, root, vector, type Table as FlatTable } from "./flatbuffer.ts";
import { giveSizes, listViewsOf, takeSizes, type ListViews, type Sizes } from "./list-views.ts";
import { beginsLikeArrow, frame, type Framing, type MessagePlace } from "./framing.ts";
import { validateColumn } from "./validate.ts";

/** An open Arrow IPC stream or file. Holds one decoded record batch at a time. */
export interface ArrowTable {
  readonly rows: number;
  /** Column names and a readable form of their types. */
  readonly columns: ReadonlyMap<string, string>;
  readonly metadata: ReadonlyMap<string, string>;
  /** The named columns of one row as plain values (see `cell`); absent columns are left out. */
  row(index: number, columns: readonly string[]): Record<string, unknown>;
  /** Lets go of the file and the batch in memory; reading another row takes them up again. */
  close(): void;
}

/**
 * Opens an Arrow IPC file in stream or file format and checks its framing. A batch is checked when it is first read.
 *
 * @throws UserError naming the file (and batch) when it is truncated, damaged or compressed in a way that is not read
 */
export function openArrow(path: string): ArrowTable {
  const file = reopening(path);
  try {
    return tableOf(path, file, frame(file.fd(), sizeOf(path, file.fd())));
  } catch (error) {
    file.release();
    const other = error instanceof DamagedFile ? otherKind(path) : undefined;
    throw damagedFile("Arrow", path, other ?? error);
  }
}

const arrowWanted = "Name an Arrow IPC stream or file, as pyarrow or Hugging Face datasets write it.";

/** @throws UserError for a folder or an empty file */
function sizeOf(path: string, fd: number): number {
  const stat = fstatSync(fd);
  if (stat.isDirectory()) {
    const inside = readdirSync(path).filter((name) => name.endsWith(".arrow"));
    const fix = inside.length > 0 ? `Name a file in it: ${inside.slice(0, 5).join(", ")}.` : arrowWanted;
    throw new UserError("not-a-file", "this is a folder, not an Arrow file", { fix });
  }
  if (stat.size === 0) throw new UserError("empty-file", "the file is empty", { fix: arrowWanted });
  return stat.size;
}

/** What is said of a file that does not begin like an Arrow file at all. */
function otherKind(path: string): UserError | undefined {
  const head = readHead(path, 8);
  if (beginsLikeArrow(head)) return undefined;
  const text = head.toString("latin1");
  const kind = text.startsWith("PAR1") ? "Parquet" : /^(\xef\xbb\xbf)?\s*[[{]/.test(text) ? "JSON" : undefined;
  const what = kind === undefined ? "this is no Arrow file" : `this is a ${kind} file, not an Arrow file`;
  return new UserError("wrong-file-kind", what, { fix: arrowWanted });
}

function tableOf(path: string, file: ReopeningFile, { schema: message, ...places }: Framing): ArrowTable {
  const views = listViewsOf(message);
  const framing = { ...places, schema: views?.schema ?? message };
  const schema = readSchema(file.fd(), framing);
  const names = schema.fields.map((field) => field.name);
  const twice = repeatedName(names);
  if (twice !== undefined) throw namedTwice(twice);
  const starts = startsOf(framing.batches.map((batch) => batch.rows));
  const rows = starts.at(-1)!;
  const nothing = { index: -1, columns: new Map<string, Data>() };
  let current = nothing;

  const load = (index: number): void => {
    const batch = readBatch(file.fd(), framing, index, { schema, views });
    current = { index, columns: new Map(schema.fields.map((field, c) => [field.name, batch.data.children[c]!])) };
  };
  const row = (index: number, names: readonly string[]): Record<string, unknown> => {
    if (!(index >= 0 && index < rows)) throw new RangeError(`${path} has ${rows} rows, not a row ${index}`);
    const batch = partOf(starts, index);
    try {
      if (current.index !== batch) load(batch);
      const values: Record<string, unknown> = {};
      startRow();
      for (const name of names) {
        const column = current.columns.get(name);
        if (column) values[name] = cell(column, index - starts[batch]!);
      }
      return values;
    } catch (error) {
      throw damagedFile("Arrow", `${path}, row ${index} (record batch ${batch})`, error);
    }
  };
  return {
    rows,
    columns: new Map(schema.fields.map((field) => [field.name, String(field.type)])),
    metadata: schema.metadata,
    row,
    close() {
      file.release();
      current = nothing;
    },
  };
}

function readSchema(fd: number, framing: Framing): Schema {
  const reader = RecordBatchReader.from(asStream(fd, framing.schema, [])).open();
  return reader.schema;
}

interface Columns {
  readonly schema: Schema;
  readonly views: ListViews | undefined;
}

function readBatch(fd: number, framing: Framing, index: number, { schema, views }: Columns): RecordBatch {
  const place = framing.batches[index]!;
  const dictionaries = inForce(framing.dictionaries.slice(0, place.dictionariesBefore));
  if (place.compressed || dictionaries.some((d) => d.compressed)) prepareDecompression();
  let sizes: Sizes[] = [];
  const takeOut = (message: MessagePlace, metadata: Uint8Array, body: Uint8Array): void => {
    if (message !== place) return;
    requireLengths(metadata, schema.fields, place.rows);
    if (views !== undefined) sizes = takeSizes(metadata, body, views);
  };
  const reader = RecordBatchReader.from(asStream(fd, framing.schema, [...dictionaries, place], takeOut)).open();
  const { value: batch } = reader.next() as { value: RecordBatch | undefined };
  if (batch?.numRows !== place.rows) throw new DamagedFile("a record batch does not decode to its number of rows");
  if (views !== undefined) giveSizes(batch.data.children, views, sizes);
  for (const child of batch.data.children) {
    if (child.length !== place.rows) throw new DamagedFile("a column's length differs from its batch's");
    validateColumn(child);
  }
  return batch;
}

/** The library fills up columns that are shorter than their batch by nulls, and cuts off longer ones. */
function requireLengths(metadata: Uint8Array, fields: readonly Field[], rows: number): void {
  const { buffer, at, count } = lengthsOf(metadata);
  let node = 0;
  for (const { name, type } of fields) {
    if (node < count && Number(buffer.view.getBigInt64(at + 16 * node, true)) !== rows)
      throw new DamagedFile(`the column "${name}" has another length than its batch`);
    node += partsOf(type);
  }
  if (node !== count) throw new DamagedFile(`a record batch has ${count} parts of columns instead of ${node}`);
}

/** What of a record batch says how many values each column has, and each part of one. */
function lengthsOf(metadata: Uint8Array): Pick<FlatTable, "buffer"> & { at: number; count: number } {
  const batch = child(root(metadata), 2)!;
  return { buffer: batch.buffer, ...vector(batch, 1, 16) };
}

/** A column and all in it; the entries of a dictionary are elsewhere. */
function partsOf(type: DataType): number {
  if (DataType.isDictionary(type)) return 1;
  return ((type.children as Field[] | null) ?? []).reduce((sum, { type: inner }) => sum + partsOf(inner), 1);
}

/** The dictionary messages that still count: for each dictionary the last whole one and what was added to it. */
function inForce(dictionaries: readonly MessagePlace[]): MessagePlace[] {
  const lastWhole = new Map<number, number>();
  dictionaries.forEach(({ dictionary }, i) => {
    if (dictionary && !dictionary.isDelta) lastWhole.set(dictionary.id, i);
  });
  return dictionaries.filter(({ dictionary }, i) => i >= (lastWhole.get(dictionary?.id ?? -1) ?? 0));
}

/**
 * Copies messages into one small stream, every body at a multiple of 8 bytes as typed-array views need.
 *
 * @param change may change the copy of a message's metadata
 */
function asStream(
  fd: number,
  schema: Uint8Array,
  messages: readonly MessagePlace[],
  change?: (message: MessagePlace, metadata: Uint8Array, body: Uint8Array) => void,
): Uint8Array {
  const sizes = messages.map((m) => 8 + padded(m.metadataLength) + padded(m.bodyLength));
  const total = sizes.reduce((sum, size) => sum + size, 8 + padded(schema.length) + 8);
  if (total > 0x7fffffff) {
    throw new UserError("too-large", `a record batch has ${total} bytes; at most 2 GB are read at once`, {
      fix: "Write the file with smaller record batches (pyarrow: max_chunksize=1000).",
    });
  }
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const prefix = (at: number, metadataLength: number): number => {
    view.setUint32(at, 0xffffffff, true);
    view.setUint32(at + 4, padded(metadataLength), true);
    return at + 8;
  };
  bytes.set(schema, prefix(0, schema.length));
  let at = 8 + padded(schema.length);
  messages.forEach((message, m) => {
    const metadataAt = prefix(at, message.metadataLength);
    const metadata = bytes.subarray(metadataAt, metadataAt + message.metadataLength);
    readInto(fd, message.metadataAt, metadata);
    const bodyAt = metadataAt + padded(message.metadataLength);
    const body = bytes.subarray(bodyAt, bodyAt + message.bodyLength);
    readInto(fd, message.bodyAt, body);
    change?.(message, metadata, body);
    at += sizes[m]!;
  });
  prefix(at, 0);
  return bytes;
}

function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}
