import { DataType, Precision, type Data, type Vector } from "apache-arrow";
import { UserError } from "../../system/errors.ts";
import { halfFloat } from "../../system/half-float.ts";
import { exactInteger, textCell, UNREADABLE } from "../cell-values.ts";
import { DamagedFile } from "../damaged.ts";
import { sizesOf } from "./list-views.ts";
import { isSet, viewed } from "./validate.ts";

/** A list of numbers as it leaves a table; 64-bit integers become float64 where that holds them exactly. */
export type NumberList =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/**
 * Cell `i` of a validated column as a plain value: string, number, boolean, null, `NumberList` (a view where possible),
 * array, or object for structs. An integer that a number does not hold exactly is a bigint, also in lists.
 */
export function cell(data: Data, i: number): unknown {
  const { type } = data;
  if (DataType.isNull(type)) return null;
  if (data.nullCount > 0 && !isSet(data.nullBitmap, i)) return null;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) {
    return textCell((data.values as Uint8Array).subarray(...range(data, i)));
  }
  if (DataType.isUtf8View(type)) return textCell(viewed(data, i));
  if (DataType.isDictionary(type)) return dictionaryEntry(data.dictionary as Vector, Number(data.values[i]));
  if (DataType.isList(type) || DataType.isLargeList(type)) return list(data.children[0]!, ...range(data, i));
  if (DataType.isFixedSizeList(type)) {
    return list(data.children[0]!, i * type.listSize, (i + 1) * type.listSize);
  }
  if (DataType.isStruct(type)) {
    return Object.fromEntries(type.children.map((field, c) => [field.name, cell(data.children[c]!, i)]));
  }
  if (DataType.isBool(type)) return isSet(data.values as Uint8Array, i);
  if (isHalf(type)) return halfFloat((data.values as Uint16Array)[i]!);
  if (isNumeric(type)) return exact(data.values[i] as number | bigint);
  return UNREADABLE;
}

function exact(value: number | bigint): number | bigint {
  return typeof value === "bigint" ? exactInteger(value) : value;
}

/** Values that list views may hold in a row, beside those of the column: nested in each other, a few name any number. */
const MOST_VIEWED = 2 ** 18;
let viewedItems = 0;

/** Called before the cells of a row are read. */
export function startRow(): void {
  viewedItems = 0;
}

function range(data: Data, i: number): [number, number] {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const sizes = sizesOf(data);
  if (sizes !== undefined) {
    viewedItems += Number(sizes[i]);
    const most = MOST_VIEWED + 4 * data.children[0]!.length;
    if (viewedItems > most) throw new UserError("too-large", `list views of a row hold more than ${most} values`);
    return [Number(offsets[i]), Number(offsets[i]) + Number(sizes[i])];
  }
  return [Number(offsets[i]), Number(offsets[i + 1])];
}

function dictionaryEntry(dictionary: Vector, index: number): unknown {
  let rest = index;
  for (const chunk of dictionary.data) {
    if (rest < chunk.length) return cell(chunk, rest);
    rest -= chunk.length;
  }
  throw new DamagedFile(`a dictionary has no entry ${index}`);
}

function list(items: Data, from: number, to: number): unknown {
  if ((!isNumeric(items.type) && !isHalf(items.type)) || hasNull(items, from, to))
    return Array.from({ length: to - from }, (_, k) => cell(items, from + k));
  const values = (items.values as NumberList | BigInt64Array | BigUint64Array).subarray(from, to);
  if (isHalf(items.type)) return Float32Array.from(values as Uint16Array, halfFloat);
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) return values;
  const numbers = Array.from<bigint, number | bigint>(values, exactInteger);
  return numbers.every((value) => typeof value === "number") ? Float64Array.from(numbers) : numbers;
}

function hasNull(items: Data, from: number, to: number): boolean {
  if (items.nullCount === 0) return false;
  for (let i = from; i < to; i++) if (!isSet(items.nullBitmap, i)) return true;
  return false;
}

/** Integers and 32- or 64-bit floats. */
function isNumeric(type: DataType): boolean {
  return DataType.isInt(type) || (DataType.isFloat(type) && !isHalf(type));
}

/** Half floats come as their bits. */
function isHalf(type: DataType): boolean {
  return DataType.isFloat(type) && type.precision === Precision.HALF;
}
