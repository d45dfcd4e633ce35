// Parquet's metadata is in Thrift's compact protocol:
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
import { isUtf8 } from "node:buffer";
import { DamagedFile } from "../damaged.ts";

export type ThriftValue = boolean | number | bigint | Uint8Array | readonly ThriftValue[] | ThriftStruct;

/** Fields by their number. */
export interface ThriftStruct {
  readonly fields: ReadonlyMap<number, ThriftValue>;
}

const MAX_DEPTH = 16;
const MAX_VARINT_BYTES = 10;

/**
 * Reads one struct; `next` is the position behind it.
 *
 * @throws DamagedFile for what leaves the bytes, claims more entries than there are bytes, or nests too deep
 */
export function readThrift(bytes: Uint8Array, start: number): { value: ThriftStruct; next: number } {
  let at = start;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw new DamagedFile("the metadata is cut short");
    return value;
  };
  const take = (count: number): Uint8Array => {
    if (!(count >= 0 && at + count <= bytes.length)) throw new DamagedFile("the metadata is cut short");
    at += count;
    return bytes.subarray(at - count, at);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const part = byte();
      value |= BigInt(part & 0x7f) << BigInt(7 * i);
      if (part < 0x80) return BigInt.asUintN(64, value);
    }
    throw new DamagedFile("a number in the metadata has no end");
  };
  const signed = (): bigint => {
    const value = varint();
    return (value >> 1n) ^ -(value & 1n);
  };
  const element = (type: number, depth: number): ThriftValue => {
    switch (type) {
      case 3:
        return (byte() << 24) >> 24;
      case 4:
      case 5:
        return Number(signed());
      case 6:
        return signed();
      case 7:
        return Buffer.from(take(8)).readDoubleLE(0);
      case 8:
        return take(Number(varint()));
      case 9:
      case 10:
        return list(depth + 1);
      case 12:
        return struct(depth + 1);
      default:
        throw new DamagedFile(`the metadata has a field of unknown type ${type}`);
    }
  };
  const list = (depth: number): ThriftValue[] => {
    if (depth > MAX_DEPTH) throw new DamagedFile("the metadata is nested too deep");
    const head = byte();
    const count = head >> 4 === 15 ? Number(varint()) : head >> 4;
    if (count > bytes.length - at) throw new DamagedFile(`a list in the metadata claims ${count} entries`);
    const type = head & 15;
    const values: ThriftValue[] = []; // grows by what is there, not by what is claimed
    for (let i = 0; i < count; i++) values.push(type <= 2 ? byte() === 1 : element(type, depth));
    return values;
  };
  const struct = (depth: number): ThriftStruct => {
    if (depth > MAX_DEPTH) throw new DamagedFile("the metadata is nested too deep");
    const fields = new Map<number, ThriftValue>();
    for (let number = 0; ;) {
      const head = byte();
      const type = head & 15;
      if (type === 0) return { fields };
      number = head >> 4 === 0 ? Number(signed()) : number + (head >> 4);
      fields.set(number, type <= 2 ? type === 1 : element(type, depth));
    }
  };
  const value = struct(0);
  return { value, next: at };
}

/** A field that holds a whole number from 0 to `limit`. */
export function wholeNumber(
  struct: ThriftStruct,
  field: number,
  what: string,
  limit = Number.MAX_SAFE_INTEGER,
): number {
  const value = optionalNumber(struct, field, what, limit);
  if (value === undefined) throw new DamagedFile(`the metadata lacks ${what}`);
  return value;
}

export function optionalNumber(
  { fields }: ThriftStruct,
  field: number,
  what: string,
  limit = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const value = fields.get(field);
  if (value === undefined) return undefined;
  const number = typeof value === "bigint" || typeof value === "number" ? Number(value) : NaN;
  if (Number.isInteger(number) && number >= 0 && number <= limit) return number; // a double may stand there
  const found = Number.isNaN(number) ? "something else" : String(number);
  throw new DamagedFile(`${what} is ${found}, not a number up to ${limit}`);
}

export function structAt({ fields }: ThriftStruct, field: number): ThriftStruct | undefined {
  const value = fields.get(field);
  return typeof value === "object" && "fields" in value ? value : undefined;
}

export function structsAt({ fields }: ThriftStruct, field: number, what: string): ThriftStruct[] {
  const value = fields.get(field);
  if (!Array.isArray(value)) throw new DamagedFile(`the metadata lacks ${what}`);
  return (value as ThriftValue[]).map((entry) => {
    if (typeof entry === "object" && "fields" in entry) return entry;
    throw new DamagedFile(`${what} in the metadata have entries of another kind`);
  });
}

export function textAt({ fields }: ThriftStruct, field: number, what: string): string {
  return textOf(fields.get(field), what);
}

export function textsAt({ fields }: ThriftStruct, field: number, what: string): string[] {
  const value = fields.get(field);
  if (!Array.isArray(value)) throw new DamagedFile(`the metadata lacks ${what}`);
  return (value as ThriftValue[]).map((entry) => textOf(entry, what));
}

function textOf(value: ThriftValue | undefined, what: string): string {
  if (value instanceof Uint8Array && isUtf8(value)) return Buffer.from(value).toString("utf8");
  if (value instanceof Uint8Array) throw new DamagedFile(`${what} is not valid UTF-8`);
  throw new DamagedFile(`the metadata lacks ${what}`);
}
