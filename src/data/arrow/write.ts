import { writeSync } from "node:fs";
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
import { writeAtomically } from "../atomic.ts";
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
  { format = "stream", batchRows = 1000, metadata = {} }: WriteArrowOptions,
  write: (chunk: Uint8Array) => void,
): number {
  const entries = Object.entries(columns);
  const schema = new Schema(
    entries.map(([name, type]) => columnField(name, type)),
    new Map(Object.entries(metadata)),
  );
  const writer = format === "file" ? new RecordBatchFileWriter() : new RecordBatchStreamWriter();
  writer.reset(new DirectSink(write), schema);
  let count = 0;
  for (const batch of inBatches(rows, batchRows)) {
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
  }
  writer.close();
  return count;
}

function* inBatches<T>(rows: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
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

function writeFully(fd: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.byteLength;) at += writeSync(fd, chunk, at, chunk.byteLength - at);
}
