import {
  AsyncByteQueue,
  type Data,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  makeData,
} from "apache-arrow";
import { openAtomicFile, writeAtomically, writeFully } from "../atomic.ts";
import { columnData, columnField, type ColumnType } from "./columns.ts";

export interface WriteArrowOptions {
  /** "stream" (default) is what Hugging Face `datasets` reads with `Dataset.from_file`; "file" adds a footer. */
  format?: "stream" | "file";
  /** Rows per record batch, 1,000 unless told. */
  batchRows?: number;
  /** Strings to keep in the schema's metadata. */
  metadata?: Record<string, string>;
}

/**
 * Writes rows as an Arrow IPC file, uncompressed, batch by batch, into a temporary file that is renamed when complete.
 *
 * @param columns column names and types, in order
 * @param rows one object per row; a missing or null cell becomes an Arrow null; list cells may be typed arrays
 * @returns the number of rows written
 */
export function writeArrow(
  path: string,
  columns: Readonly<Record<string, ColumnType>>,
  rows: Iterable<Readonly<Record<string, unknown>>>,
  options: WriteArrowOptions = {},
): number {
  let count = 0;
  writeAtomically(path, (fd) => {
    count = encodeArrow(columns, rows, options, (chunk) => writeFully(fd, chunk));
  });
  return count;
}

/** An Arrow file in the making, for rows that come one after the other. */
export interface ArrowFile {
  add(row: Readonly<Record<string, unknown>>): void;
  /** Completes the file and gives it its name; returns the number of rows. */
  finish(): number;
  /** Removes what was written; does nothing after `finish`. */
  abandon(): void;
}

/** Starts a file as `writeArrow` writes it. One of `finish` and `abandon` must follow. */
export function openArrowFile(
  path: string,
  columns: Readonly<Record<string, ColumnType>>,
  options: WriteArrowOptions = {},
): ArrowFile {
  const file = openAtomicFile(path);
  const encoder = arrowEncoder(columns, options, (chunk) => writeFully(file.fd, chunk));
  return {
    add: encoder.add,
    finish() {
      const rows = encoder.finish();
      file.commit();
      return rows;
    },
    abandon: file.abandon,
  };
}

/** The same bytes as `writeArrow` writes, in memory. */
export function arrowBytes(
  columns: Readonly<Record<string, ColumnType>>,
  rows: Iterable<Readonly<Record<string, unknown>>>,
  options: WriteArrowOptions = {},
): Uint8Array {
  const chunks: Uint8Array[] = [];
  encodeArrow(columns, rows, options, (chunk) => chunks.push(chunk.slice()));
  return Buffer.concat(chunks);
}

function encodeArrow(
  columns: Readonly<Record<string, ColumnType>>,
  rows: Iterable<Readonly<Record<string, unknown>>>,
  options: WriteArrowOptions,
  write: (chunk: Uint8Array) => void,
): number {
  const encoder = arrowEncoder(columns, options, write);
  for (const row of rows) encoder.add(row);
  return encoder.finish();
}

function arrowEncoder(
  columns: Readonly<Record<string, ColumnType>>,
  { format = "stream", batchRows = 1000, metadata = {} }: WriteArrowOptions,
  write: (chunk: Uint8Array) => void,
): { add(row: Readonly<Record<string, unknown>>): void; finish(): number } {
  const entries = Object.entries(columns);
  const schema = new Schema(
    entries.map(([name, type]) => columnField(name, type)),
    new Map(Object.entries(metadata)),
  );
  const writer = format === "file" ? new RecordBatchFileWriter() : new RecordBatchStreamWriter();
  writer.reset(new DirectSink(write), schema);
  let batch: Readonly<Record<string, unknown>>[] = [];
  let count = 0;
  const writeBatch = (): void => {
    const children = entries.map(([name, type]) =>
      columnData(
        type,
        batch.map((row) => row[name]),
      ),
    );
    const struct = makeData({
      type: new Struct(schema.fields),
      length: batch.length,
      nullCount: 0,
      children,
    } as never) as unknown as Data<Struct>;
    writer.write(new RecordBatch(schema, struct));
    count += batch.length;
    batch = [];
  };
  return {
    add(row) {
      batch.push(row);
      if (batch.length === batchRows) writeBatch();
    },
    finish() {
      if (batch.length > 0) writeBatch();
      writer.close();
      return count;
    },
  };
}

/** Hands every chunk on at once, so that a file of any size is written without being held in memory. */
class DirectSink extends AsyncByteQueue {
  readonly #write: (chunk: Uint8Array) => void;
  constructor(write: (chunk: Uint8Array) => void) {
    super();
    this.#write = write;
  }
  override write(chunk: Uint8Array): void {
    this.#write(chunk);
  }
}
