import {
  Bool,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  Uint8,
  Utf8,
  makeData,
  type Data,
  type DataType,
} from "apache-arrow";

/** Types that `writeArrow` writes: all are plain (no dictionary), so that every Arrow reader takes them. */
export type ColumnType =
  | "utf8"
  | "bool"
  | "int64"
  | "float64"
  | "list<int32>"
  | "list<uint8>"
  | "list<float32>"
  | "list<float64>"
  | "list<utf8>";

type Flat = Int32Array | Uint8Array | Float32Array | Float64Array;
const encoder = new TextEncoder();

/** One column of a record batch. `undefined` and `null` cells become Arrow nulls. */
export function columnData(type: ColumnType, cells: readonly unknown[]): Data {
  switch (type) {
    case "utf8":
      return textData(cells as (string | null | undefined)[]);
    case "bool":
      return makeData({
        type: new Bool(),
        length: cells.length,
        data: bits(cells, (cell) => cell === true),
        ...validity(cells),
      });
    case "int64":
      return makeData({
        type: new Int64(),
        length: cells.length,
        data: BigInt64Array.from(cells, (cell) => BigInt((cell ?? 0) as number | bigint)),
        ...validity(cells),
      });
    case "float64":
      return makeData({
        type: new Float64(),
        length: cells.length,
        data: Float64Array.from(cells, (cell) => (cell ?? 0) as number),
        ...validity(cells),
      });
    case "list<int32>":
      return listData(cells as ArrayLike<number>[], new Int32(), (n) => new Int32Array(n));
    case "list<uint8>":
      return listData(cells as ArrayLike<number>[], new Uint8(), (n) => new Uint8Array(n));
    case "list<float32>":
      return listData(cells as ArrayLike<number>[], new Float32(), (n) => new Float32Array(n));
    case "list<float64>":
      return listData(cells as ArrayLike<number>[], new Float64(), (n) => new Float64Array(n));
    case "list<utf8>":
      return textListData(cells as (readonly string[])[]);
  }
}

export function columnField(name: string, type: ColumnType): Field {
  return new Field(name, columnData(type, []).type, true);
}

function textData(cells: readonly (string | null | undefined)[]): Data<Utf8> {
  const bytes = cells.map((cell) => encoder.encode(cell ?? ""));
  const valueOffsets = offsetsOf(bytes);
  const data = new Uint8Array(valueOffsets[bytes.length]!);
  bytes.forEach((value, i) => data.set(value, valueOffsets[i]!));
  return makeData({ type: new Utf8(), length: cells.length, valueOffsets, data, ...validity(cells) });
}

function listData(
  cells: readonly (ArrayLike<number> | null | undefined)[],
  itemType: Int32 | Uint8 | Float32 | Float64,
  allocate: (n: number) => Flat,
): Data {
  const valueOffsets = offsetsOf(cells);
  const data = allocate(valueOffsets[cells.length]!);
  cells.forEach((cell, i) => {
    if (cell) data.set(cell, valueOffsets[i]!);
  });
  const child = makeData({
    type: itemType as DataType,
    length: data.length,
    nullCount: 0,
    data,
  } as never) as unknown as Data;
  return listOf(cells, valueOffsets, itemType, child);
}

function textListData(cells: readonly (readonly string[] | null | undefined)[]): Data {
  return listOf(cells, offsetsOf(cells), new Utf8(), textData(cells.flatMap((cell) => cell ?? [])));
}

function listOf(
  cells: readonly unknown[],
  valueOffsets: Int32Array,
  itemType: Int32 | Uint8 | Float32 | Float64 | Utf8,
  child: Data,
): Data {
  const type = new List(new Field("item", itemType, true));
  return makeData({ type, length: cells.length, valueOffsets, child: child as never, ...validity(cells) });
}

function offsetsOf(cells: readonly (ArrayLike<unknown> | null | undefined)[]): Int32Array {
  const offsets = new Int32Array(cells.length + 1);
  let total = 0;
  cells.forEach((cell, i) => {
    total += cell?.length ?? 0;
    if (total > 0x7fffffff)
      throw new RangeError("an Arrow batch holds at most 2^31 - 1 list items: write smaller batches");
    offsets[i + 1] = total;
  });
  return offsets;
}

function validity(cells: readonly unknown[]): { nullCount: number; nullBitmap?: Uint8Array } {
  const nullCount = cells.reduce((count: number, cell) => count + (cell === null || cell === undefined ? 1 : 0), 0);
  if (nullCount === 0) return { nullCount };
  return { nullCount, nullBitmap: bits(cells, (cell) => cell !== null && cell !== undefined) };
}

function bits(cells: readonly unknown[], isSet: (cell: unknown) => boolean): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(cells.length / 64) * 8);
  cells.forEach((cell, i) => {
    if (isSet(cell)) bitmap[i >> 3]! |= 1 << (i & 7);
  });
  return bitmap;
}
