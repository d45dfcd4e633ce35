// Arrow's metadata is a flatbuffer, whose readers trust every offset in it. These functions walk a message before
// anything decodes it and refuse offsets, counts and lengths that leave the message or its body, nesting that is too
// deep, and shared parts that would multiply the work.
// Layouts: https://github.com/apache/arrow/tree/main/format (Message.fbs, Schema.fbs, File.fbs)

import { isUtf8 } from "node:buffer";
import { UserError } from "../../system/errors.ts";
import { DamagedFile } from "../damaged.ts";
import { child, long, number, root, tables, toNumber, vector, type Table } from "./flatbuffer.ts";

const MAX_DEPTH = 24;
/** Values of one column in one batch of a compressed file; uncompressed ones need at least a bit each. */
const MAX_COMPRESSED_VALUES = 2 ** 27;
const LAST_TYPE = 26;
const UNION_TYPE = 14;
const TIMESTAMP_TYPE = 10;
const UNREAD_TYPES: Readonly<Record<number, [name: string, cast: string]>> = {
  22: ["run-end encoded", "pyarrow.compute.run_end_decode(table[NAME])"],
};
/** List views are read, but not as the entries of a dictionary. */
const UNREAD_ENTRIES: typeof UNREAD_TYPES = {
  25: ["a dictionary of list views", "table[NAME].dictionary_decode()"],
  26: ["a dictionary of large list views", "table[NAME].dictionary_decode()"],
};

export interface VerifiedMessage {
  kind: "schema" | "dictionary" | "batch";
  bodyLength: number;
  /** Rows of a record batch, 0 for other messages. */
  rows: number;
  compressed: boolean;
  /** For a dictionary: which one, and whether it adds to the entries so far instead of replacing them. */
  dictionary?: { id: number; isDelta: boolean };
}

/** Checks an encapsulated message's flatbuffer, given without its length prefix. */
export function verifyMessage(bytes: Uint8Array): VerifiedMessage {
  const message = root(bytes);
  const bodyLength = long(message, 3) ?? 0;
  if (bodyLength < 0) throw new DamagedFile("a message has a negative length");
  verifyMetadata(message, 4);
  const header = child(message, 2);
  const kind = number(message, 1, 1);
  if (!header) throw new DamagedFile("a message has no header");
  if (kind === 1) {
    verifySchema(header);
    return { kind: "schema", bodyLength, rows: 0, compressed: false };
  }
  if (kind === 2) {
    const data = child(header, 1);
    if (!data) throw new DamagedFile("a dictionary has no data");
    const dictionary = { id: long(header, 0) ?? 0, isDelta: number(header, 2, 1) !== 0 };
    return { kind: "dictionary", bodyLength, ...verifyBatch(data, bodyLength), rows: 0, dictionary };
  }
  if (kind === 3) return { kind: "batch", bodyLength, ...verifyBatch(header, bodyLength) };
  throw new DamagedFile(`a message has an unknown kind (${kind})`);
}

/** What a file's footer says: byte positions of the messages, and the schema as the metadata of a message. */
export function readFooter(bytes: Uint8Array): { schema: Uint8Array; dictionaries: number[]; batches: number[] } {
  const footer = root(bytes);
  const positions = (slot: number): number[] => {
    const { at, count } = vector(footer, slot, 24);
    return Array.from({ length: count }, (_, i) => toNumber(footer.buffer.view.getBigInt64(at + 24 * i, true)));
  };
  const schema = child(footer, 1);
  if (!schema) throw new DamagedFile("the footer has no schema");
  return { schema: schemaMessage(bytes, schema.at), dictionaries: positions(2), batches: positions(3) };
}

/**
 * A message whose header is a schema inside `bytes`. Offsets in a flatbuffer are relative, so 32 bytes in front do:
 * the root offset, a table layout (version, header kind, header), and the table that points at the schema.
 */
function schemaMessage(bytes: Uint8Array, schemaAt: number): Uint8Array {
  const message = new Uint8Array(32 + bytes.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, 16, true);
  [12, 12, 4, 6, 8, 0].forEach((value, i) => view.setUint16(4 + 2 * i, value, true));
  view.setInt32(16, 12, true);
  view.setInt16(20, 4, true); // metadata version V5
  view.setUint8(22, 1); // header kind: schema
  view.setUint32(24, 32 + schemaAt - 24, true);
  message.set(bytes, 32);
  return message;
}

function verifySchema(schema: Table): void {
  if (number(schema, 0, 2) !== 0) throw new DamagedFile("the file is big-endian, which is not supported");
  verifyMetadata(schema, 2);
  for (const field of tables(schema, 1)) verifyField(field, 0);
}

function verifyField(field: Table, depth: number, isEntry = false): void {
  if (depth > MAX_DEPTH) throw new DamagedFile(`a column is nested more than ${MAX_DEPTH} deep`);
  if (!isUtf8(bytesOf(field, 0))) throw new DamagedFile("the name of a column is not valid UTF-8");
  const type = child(field, 3);
  const typeKind = number(field, 2, 1);
  const dictionary = child(field, 4);
  const isCoded = isEntry || dictionary !== undefined;
  refuseUnread(field, isCoded ? { ...UNREAD_TYPES, ...UNREAD_ENTRIES }[typeKind] : UNREAD_TYPES[typeKind]);
  if (!type || typeKind === 0 || typeKind > LAST_TYPE) throw new DamagedFile("a column has no type");
  if (typeKind === UNION_TYPE) vector(type, 1, 4);
  if (typeKind === TIMESTAMP_TYPE) vector(type, 1, 1);
  if (dictionary) child(dictionary, 1);
  verifyMetadata(field, 6);
  for (const inner of tables(field, 5)) verifyField(inner, depth + 1, isCoded);
}

/** The columns around one cannot be told apart without reading it. */
function refuseUnread(field: Table, unread: (typeof UNREAD_TYPES)[number] | undefined): void {
  const [kind, cast] = unread ?? [];
  if (kind === undefined || cast === undefined) return;
  const name = bytesOf(field, 0).toString("utf8");
  throw new UserError("unsupported-file", `the column "${name}" is ${kind}, which is not read`, {
    fix: `Write it as a plain column, in Python: ${cast.replace("NAME", JSON.stringify(name))}.`,
  });
}

function bytesOf(t: Table, slot: number): Buffer {
  const { at, count } = vector(t, slot, 1);
  const { buffer, byteOffset } = t.buffer.view;
  return Buffer.from(buffer, byteOffset + at, count);
}

function verifyBatch(batch: Table, bodyLength: number): { rows: number; compressed: boolean } {
  const { view } = batch.buffer;
  const rows = long(batch, 0) ?? 0;
  const compressed = child(batch, 3) !== undefined;
  const limit = compressed ? MAX_COMPRESSED_VALUES : 8 * bodyLength;
  if (rows < 0 || rows > limit) {
    throw new DamagedFile(`a record batch claims ${rows} rows in ${bodyLength} bytes`);
  }
  const nodes = vector(batch, 1, 16);
  for (let i = 0; i < nodes.count; i++) {
    const length = toNumber(view.getBigInt64(nodes.at + 16 * i, true));
    const nulls = toNumber(view.getBigInt64(nodes.at + 16 * i + 8, true));
    if (length < 0 || length > limit || nulls < 0 || nulls > length) {
      throw new DamagedFile(`a column claims ${length} values with ${nulls} nulls`);
    }
  }
  const buffers = vector(batch, 2, 16);
  for (let i = 0; i < buffers.count; i++) {
    const offset = toNumber(view.getBigInt64(buffers.at + 16 * i, true));
    const length = toNumber(view.getBigInt64(buffers.at + 16 * i + 8, true));
    if (offset < 0 || length < 0 || offset % 8 !== 0 || offset + length > bodyLength) {
      throw new DamagedFile(`a buffer at ${offset} of ${length} bytes leaves its batch of ${bodyLength} bytes`);
    }
  }
  const viewBuffers = vector(batch, 4, 8);
  for (let i = 0, sum = 0; i < viewBuffers.count; i++) {
    const count = toNumber(view.getBigInt64(viewBuffers.at + 8 * i, true));
    sum += count;
    if (count < 0 || sum > buffers.count) throw new DamagedFile(`a column claims ${count} buffers`);
  }
  return { rows, compressed };
}

function verifyMetadata(table: Table, slot: number): void {
  for (const pair of tables(table, slot)) {
    vector(pair, 0, 1);
    vector(pair, 1, 1);
  }
}
