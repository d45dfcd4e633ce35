import { UserError } from "../../system/errors.ts";
import { show } from "../fields.ts";
import { elementCount, type StoredTensor } from "./encoding.ts";
import { ggufEncodings, otherGgufTypes } from "./dequantize.ts";
import type { RandomAccessFile } from "./file.ts";
import { headerCursor, type HeaderCursor } from "./header-cursor.ts";

/** Key-values and tensors of a GGUF file. 64-bit integers beyond 2^53 are bigints; shapes are row-major. */
export interface GgufHeader {
  metadata: Record<string, unknown>;
  tensors: Map<string, StoredTensor>;
}

/* No honest file comes near these; they bound the work that a hostile header can ask for. */
const mostEntries = 2 ** 16;
const mostTensors = 2 ** 17;
const mostListItems = 2 ** 22; // over the whole header
const deepestList = 4;

/**
 * Reads the header of a GGUF file, version 2 or 3, little-endian
 * (format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 * @throws UserError for anything out of bounds, before anything is allocated for it
 */
export function readGgufHeader(file: RandomAccessFile): GgufHeader {
  const cursor = headerCursor(file);
  const magic = file.size < 4 ? 0 : cursor.view(4).getUint32(0, true);
  if (magic !== 0x46554747) {
    throw new UserError("wrong-file-kind", "this is not a GGUF file (its first four bytes are not GGUF)", {
      where: file.path,
    });
  }
  const version = cursor.view(4).getUint32(0, true);
  if (version !== 2 && version !== 3) {
    throw new UserError(
      "unsupported-file",
      `GGUF version ${show(version)} is not supported, only 2 and 3 in little-endian order`,
      { where: file.path, fix: "Convert the model again with a recent llama.cpp." },
    );
  }
  const tensorCount = cursor.count("tensors", { most: mostTensors, bytesEach: 8 + 4 + 4 + 8 });
  const entryCount = cursor.count("key-values", { most: mostEntries, bytesEach: 8 + 4 + 1 });
  const metadata = readMetadata(cursor, entryCount);
  const described = Array.from({ length: tensorCount }, () => readTensor(cursor));

  const alignment = metadata["general.alignment"] ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || alignment > 2 ** 20 || (alignment & (alignment - 1)) !== 0) {
    throw cursor.broken(`general.alignment must be a power of two, not ${show(alignment)}`);
  }
  const start = Math.ceil(cursor.position() / alignment) * alignment;
  return { metadata, tensors: placeTensors(described, start, alignment, file.size, cursor) };
}

function readMetadata(cursor: HeaderCursor, entries: number): Record<string, unknown> {
  const metadata = Object.create(null) as Record<string, unknown>;
  const budget = { items: mostListItems };
  for (let i = 0; i < entries; i++) {
    const key = cursor.text();
    if (key in metadata) throw cursor.broken(`the key ${show(key)} occurs twice`);
    metadata[key] = readValue(cursor, cursor.view(4).getUint32(0, true), budget, 0);
  }
  return metadata;
}

interface ScalarType {
  bytes: number;
  get(view: DataView): unknown;
}

const scalarTypes: ReadonlyMap<number, ScalarType> = new Map<number, ScalarType>([
  [0, { bytes: 1, get: (view) => view.getUint8(0) }],
  [1, { bytes: 1, get: (view) => view.getInt8(0) }],
  [2, { bytes: 2, get: (view) => view.getUint16(0, true) }],
  [3, { bytes: 2, get: (view) => view.getInt16(0, true) }],
  [4, { bytes: 4, get: (view) => view.getUint32(0, true) }],
  [5, { bytes: 4, get: (view) => view.getInt32(0, true) }],
  [6, { bytes: 4, get: (view) => view.getFloat32(0, true) }],
  [7, { bytes: 1, get: (view) => view.getUint8(0) !== 0 }],
  [10, { bytes: 8, get: (view) => plain(view.getBigUint64(0, true)) }],
  [11, { bytes: 8, get: (view) => plain(view.getBigInt64(0, true)) }],
  [12, { bytes: 8, get: (view) => view.getFloat64(0, true) }],
]);
const textType = 8;
const listType = 9;

function plain(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readValue(cursor: HeaderCursor, type: number, budget: { items: number }, depth: number): unknown {
  if (type === textType) return cursor.text();
  const scalar = scalarTypes.get(type);
  if (scalar !== undefined) return scalar.get(cursor.view(scalar.bytes));
  if (type !== listType) throw cursor.broken(`a value has the unknown type ${type}`);
  if (depth >= deepestList) throw cursor.broken(`lists are nested deeper than ${deepestList}`);

  const itemType = cursor.view(4).getUint32(0, true);
  const itemBytes = scalarTypes.get(itemType)?.bytes ?? (itemType === textType ? 8 : 12);
  const count = cursor.count("list items", { most: budget.items, bytesEach: itemBytes });
  budget.items -= count;
  const items: unknown[] = [];
  for (let i = 0; i < count; i++) items.push(readValue(cursor, itemType, budget, depth + 1));
  return items;
}

/** A tensor as the header describes it; `offset` counts from the start of the data. */
function readTensor(cursor: HeaderCursor): Omit<StoredTensor, "bytes"> {
  const name = cursor.text();
  const rank = cursor.view(4).getUint32(0, true);
  if (rank > 4) throw cursor.broken(`tensor ${show(name)} has ${rank} dimensions, more than 4`);
  const shape = Array.from({ length: rank }, () => Number(cursor.view(8).getBigUint64(0, true))).reverse();
  const type = cursor.view(4).getUint32(0, true);
  const offset = Number(cursor.view(8).getBigUint64(0, true));
  const encoding = ggufEncodings.get(type);
  if (encoding === undefined) {
    throw cursor.broken(
      `tensor ${show(name)} has the type ${otherGgufTypes.get(type) ?? type}, which is not supported`,
      {
        code: "unsupported-file",
        fix: `Supported are ${[...ggufEncodings.values()].map((known) => known.name).join(", ")}.`,
      },
    );
  }
  return { name, shape, encoding, offset };
}

function placeTensors(
  described: Omit<StoredTensor, "bytes">[],
  start: number,
  alignment: number,
  fileSize: number,
  cursor: HeaderCursor,
): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of described) {
    const label = `tensor ${show(tensor.name)}`;
    const { blockValues, blockBytes } = tensor.encoding;
    const count = elementCount(tensor.shape);
    if (count === undefined || (tensor.shape.at(-1) ?? 1) % blockValues !== 0) {
      throw cursor.broken(`${label} has the impossible shape [${tensor.shape.join(", ")}]`);
    }
    const bytes = (count / blockValues) * blockBytes;
    if (tensor.offset % alignment !== 0) throw cursor.broken(`${label} is not aligned`);
    if (!(start + tensor.offset + bytes <= fileSize)) throw cursor.broken(`${label} lies outside the file`);
    if (tensors.has(tensor.name)) throw cursor.broken(`${label} occurs twice`);
    tensors.set(tensor.name, { ...tensor, offset: start + tensor.offset, bytes });
  }
  const ordered = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  for (const [i, tensor] of ordered.entries()) {
    const before = ordered[i - 1];
    if (before !== undefined && before.offset + before.bytes > tensor.offset) {
      throw cursor.broken(`tensors ${show(before.name)} and ${show(tensor.name)} overlap`);
    }
  }
  return tensors;
}
