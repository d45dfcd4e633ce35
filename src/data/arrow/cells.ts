import { DataType, type Data, type Vector } from "apache-arrow";
import { isSet } from "./validate.ts";
import { DamagedArrow } from "./verify.ts";

/** A list of numbers as it leaves a table; 64-bit integers become float64. */
export type NumberList =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Values of a type that this library has no use for (dates, binary, ...). */
export const UNREADABLE = Symbol("unreadable Arrow type");

/**
 * Cell `i` of a validated column as a plain value: string, number, boolean, null, `NumberList` (a view where possible),
 * array, or object for structs.
 */
export function cell(data: Data, i: number): unknown {
  const { type } = data;
  if (DataType.isNull(type)) return null;
  if (data.nullCount > 0 && !isSet(data.nullBitmap, i)) return null;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) {
    const [from, to] = range(data, i);
    try {
      return decoder.decode((data.values as Uint8Array).subarray(from, to));
    } catch {
      throw new DamagedArrow("a text is not valid UTF-8");
    }
  }
  if (DataType.isDictionary(type)) return dictionaryEntry(data.dictionary as Vector, Number(data.values[i]));
  if (DataType.isList(type) || DataType.isLargeList(type)) return list(data.children[0]!, ...range(data, i));
  if (DataType.isFixedSizeList(type)) {
    return list(data.children[0]!, i * type.listSize, (i + 1) * type.listSize);
  }
  if (DataType.isStruct(type)) {
    return Object.fromEntries(type.children.map((field, c) => [field.name, cell(data.children[c]!, i)]));
  }
  if (DataType.isBool(type)) return isSet(data.values as Uint8Array, i);
  if (isNumeric(type)) return Number(data.values[i]);
  return UNREADABLE;
}

function range(data: Data, i: number): [number, number] {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  return [Number(offsets[i]), Number(offsets[i + 1])];
}

function dictionaryEntry(dictionary: Vector, index: number): unknown {
  let rest = index;
  for (const chunk of dictionary.data) {
    if (rest < chunk.length) return cell(chunk, rest);
    rest -= chunk.length;
  }
  throw new DamagedArrow(`a dictionary has no entry ${index}`);
}

function list(items: Data, from: number, to: number): unknown {
  if (isNumeric(items.type) && !hasNull(items, from, to)) {
    const values = items.values as NumberList | BigInt64Array | BigUint64Array;
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      return Float64Array.from({ length: to - from }, (_, k) => Number(values[from + k]));
    }
    return values.subarray(from, to);
  }
  return Array.from({ length: to - from }, (_, k) => cell(items, from + k));
}

function hasNull(items: Data, from: number, to: number): boolean {
  if (items.nullCount === 0) return false;
  for (let i = from; i < to; i++) if (!isSet(items.nullBitmap, i)) return true;
  return false;
}

/** Integers and 32- or 64-bit floats (half floats come as raw bits and are not read). */
function isNumeric(type: DataType): boolean {
  return DataType.isInt(type) || (DataType.isFloat(type) && type.precision !== 0);
}
