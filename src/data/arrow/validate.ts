import { DataType, type Data, type Vector } from "apache-arrow";
import { DamagedFile } from "../damaged.ts";
import { sizesOf, type Sizes } from "./list-views.ts";

/** Checks that every offset, index and length inside a decoded column stays inside its buffers. */
export function validateColumn(data: Data): void {
  const { type, length } = data;
  if (DataType.isNull(type)) return; // it has neither values nor validity bits
  if (data.nullCount > 0 && (data.nullBitmap?.length ?? 0) < Math.ceil(length / 8)) {
    throw new DamagedFile("a column has fewer validity bits than values");
  }
  if (nullsOf(data) !== data.nullCount) throw new DamagedFile("a column has another number of nulls than it says");
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) validateOffsets(data, data.values.length);
  else if (DataType.isUtf8View(type)) validateViews(data);
  else if (DataType.isList(type) || DataType.isLargeList(type)) {
    const child = onlyChild(data);
    const sizes = sizesOf(data);
    if (sizes === undefined) validateOffsets(data, child.length);
    else validateRanges(data, sizes, child.length);
    validateColumn(child);
  } else if (DataType.isFixedSizeList(type)) {
    const child = onlyChild(data);
    if (type.listSize < 0 || child.length < length * type.listSize) throw new DamagedFile("a list is too short");
    validateColumn(child);
  } else if (DataType.isStruct(type)) {
    for (const child of data.children) {
      if (child.length < length) throw new DamagedFile("a struct's fields are shorter than the struct");
      validateColumn(child);
    }
  } else if (DataType.isDictionary(type)) validateIndices(data);
  else if (DataType.isBool(type)) {
    if (data.values.length < Math.ceil(length / 8)) throw new DamagedFile("a column has fewer bits than values");
  } else if (DataType.isInt(type) || DataType.isFloat(type)) {
    if (data.values.length < length) throw new DamagedFile("a column has fewer numbers than values");
  }
}

/** As the validity bits have it; a column may have none. */
function nullsOf({ type, length, nullBitmap, nullCount }: Data): number {
  const bits = nullBitmap as Uint8Array | undefined;
  if (bits === undefined || bits.length === 0 || DataType.isUnion(type)) return nullCount;
  let present = 0;
  for (let byte = 0; byte < length >> 3; byte++) present += bitsIn[bits[byte]!]!;
  for (let i = length & ~7; i < length; i++) if (isSet(bits, i)) present++;
  return length - present;
}

const bitsIn = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

function onlyChild(data: Data): Data {
  const child = data.children[0];
  if (!child) throw new DamagedFile("a list has no items");
  return child;
}

function validateOffsets(data: Data, limit: number): void {
  if (data.length === 0) return;
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  if (offsets.length < data.length + 1) throw new DamagedFile("a column has fewer offsets than values");
  let previous = Number(offsets[0]);
  if (previous < 0) throw new DamagedFile("a column starts at a negative offset");
  for (let i = 1; i <= data.length; i++) {
    const next = Number(offsets[i]);
    if (next < previous) throw new DamagedFile(`offsets run backwards at row ${i} of the batch`);
    previous = next;
  }
  if (previous > limit) throw new DamagedFile(`offsets reach ${previous}, but only ${limit} values are there`);
}

/** Lists of a list view may come in any order, and overlap. */
function validateRanges(data: Data, sizes: Sizes, limit: number): void {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array | undefined;
  if ((offsets?.length ?? 0) < data.length || sizes.length < data.length)
    throw new DamagedFile("a column has fewer offsets or sizes than values");
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && !isSet(data.nullBitmap, i)) continue;
    const [from, size] = [Number(offsets![i]), Number(sizes[i])];
    if (from < 0 || size < 0 || from + size > limit)
      throw new DamagedFile(`the list in row ${i} of the batch leaves the ${limit} values that are there`);
  }
}

const VIEW_BYTES = 16;
const INLINE_BYTES = 12;

/** A view has its length in 4 bytes, then the text itself or 4 bytes of it, the number of a buffer and a place there. */
function validateViews(data: Data): void {
  const views = viewsOf(data);
  if (views.byteLength < VIEW_BYTES * data.length) throw new DamagedFile("a column has fewer views than values");
  for (let i = 0; i < data.length; i++) {
    if (data.nullCount > 0 && !isSet(data.nullBitmap, i)) continue;
    const length = views.getInt32(VIEW_BYTES * i, true);
    if (length < 0) throw new DamagedFile(`row ${i} of the batch has a negative length`);
    if (length <= INLINE_BYTES) continue;
    const buffer = data.variadicBuffers[views.getInt32(VIEW_BYTES * i + 8, true)];
    const from = views.getInt32(VIEW_BYTES * i + 12, true);
    if (buffer === undefined || from < 0 || from + length > buffer.length)
      throw new DamagedFile(`row ${i} of the batch points outside its buffers`);
  }
}

/** The bytes of value `i` of a validated column of views. */
export function viewed(data: Data, i: number): Uint8Array {
  const views = viewsOf(data);
  const at = VIEW_BYTES * i;
  const length = views.getInt32(at, true);
  if (length <= INLINE_BYTES) return (data.values as Uint8Array).subarray(at + 4, at + 4 + length);
  const from = views.getInt32(at + 12, true);
  return data.variadicBuffers[views.getInt32(at + 8, true)]!.subarray(from, from + length);
}

function viewsOf(data: Data): DataView {
  const { buffer, byteOffset, byteLength } = data.values as Uint8Array;
  return new DataView(buffer, byteOffset, byteLength);
}

function validateIndices(data: Data): void {
  const dictionary = data.dictionary as Vector | undefined;
  if (!dictionary) throw new DamagedFile("a column's dictionary is missing");
  for (const chunk of dictionary.data) validateColumn(chunk);
  const indices = data.values as ArrayLike<number | bigint>;
  if (indices.length < data.length) throw new DamagedFile("a column has fewer indices than values");
  for (let i = 0; i < data.length; i++) {
    const index = Number(indices[i]);
    const isNull = data.nullCount > 0 && !isSet(data.nullBitmap, i);
    if (!isNull && !(index >= 0 && index < dictionary.length)) {
      throw new DamagedFile(`row ${i} of the batch refers to entry ${index} of a dictionary of ${dictionary.length}`);
    }
  }
}

/** Whether bit `i` of a bitmap is 1. */
export function isSet(bitmap: Uint8Array, i: number): boolean {
  return ((bitmap[i >> 3]! >> (i & 7)) & 1) === 1;
}
