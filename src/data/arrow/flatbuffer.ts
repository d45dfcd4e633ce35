// A walk over a flatbuffer that leaves nothing unchecked: every offset, count and length is compared with the bytes that
// are there, and shared parts that would multiply the work are refused.

import { DamagedFile } from "../damaged.ts";

interface Metadata {
  view: DataView;
  /** Bytes that may still be visited: a sound message visits each byte about once. */
  budget: number;
}

export interface Table {
  buffer: Metadata;
  at: number;
  vtable: number;
  vtableSize: number;
  size: number;
}

export function root(bytes: Uint8Array): Table {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const buffer = { view, budget: 4 * bytes.byteLength + 4096 };
  need(buffer, 0, 4);
  return table(buffer, view.getUint32(0, true));
}

function table(buffer: Metadata, at: number): Table {
  need(buffer, at, 4);
  const vtable = at - buffer.view.getInt32(at, true);
  need(buffer, vtable, 4);
  const vtableSize = buffer.view.getUint16(vtable, true);
  const size = buffer.view.getUint16(vtable + 2, true);
  need(buffer, vtable, Math.max(4, vtableSize));
  need(buffer, at, Math.max(4, size));
  charge(buffer, 4 + size + vtableSize);
  verifyLayout(buffer, vtable, vtableSize, size);
  return { buffer, at, vtable, vtableSize, size };
}

/**
 * The library reads what a table's layout says without a look at its own length, and 16 bits of it with a sign: a layout
 * of an odd length, or with a field beyond the table, means one thing to it and another to `field`.
 */
function verifyLayout({ view }: Metadata, vtable: number, vtableSize: number, size: number): void {
  if (vtableSize < 4 || vtableSize % 2 !== 0 || vtableSize > largestLayout || size < 4 || size > largestLayout)
    throw new DamagedFile("the metadata has a table of an impossible layout");
  for (let entry = 4; entry < vtableSize; entry += 2) {
    const offset = view.getUint16(vtable + entry, true);
    if (offset !== 0 && (offset < 4 || offset >= size)) throw new DamagedFile("a metadata field leaves its table");
  }
}

const largestLayout = 0x7fff;

/** Position of a field of `bytes` bytes, or undefined when the table leaves it out. */
export function field(
  { buffer, at, vtable, vtableSize, size }: Table,
  slot: number,
  bytes: number,
): number | undefined {
  const entry = 4 + 2 * slot;
  const offset = entry + 2 <= vtableSize ? buffer.view.getUint16(vtable + entry, true) : 0;
  if (offset === 0) return undefined;
  if (offset + bytes > size) throw new DamagedFile("a metadata field leaves its table");
  return at + offset;
}

export function number(t: Table, slot: number, bytes: 1 | 2): number {
  const at = field(t, slot, bytes);
  if (at === undefined) return 0;
  return bytes === 1 ? t.buffer.view.getUint8(at) : t.buffer.view.getInt16(at, true);
}

export function long(t: Table, slot: number): number | undefined {
  const at = field(t, slot, 8);
  return at === undefined ? undefined : toNumber(t.buffer.view.getBigInt64(at, true));
}

function reference(t: Table, slot: number): number | undefined {
  const at = field(t, slot, 4);
  return at === undefined ? undefined : at + t.buffer.view.getUint32(at, true);
}

export function child(t: Table, slot: number): Table | undefined {
  const at = reference(t, slot);
  return at === undefined ? undefined : table(t.buffer, at);
}

export function vector(t: Table, slot: number, itemBytes: number): { at: number; count: number } {
  const at = reference(t, slot);
  if (at === undefined) return { at: 0, count: 0 };
  need(t.buffer, at, 4);
  const count = t.buffer.view.getUint32(at, true);
  need(t.buffer, at + 4, count * itemBytes);
  charge(t.buffer, 4 + count * itemBytes);
  return { at: at + 4, count };
}

export function* tables(t: Table, slot: number): Generator<Table> {
  const { at, count } = vector(t, slot, 4);
  for (let i = 0; i < count; i++) {
    const entry = at + 4 * i;
    yield table(t.buffer, entry + t.buffer.view.getUint32(entry, true));
  }
}

function need({ view }: Metadata, at: number, bytes: number): void {
  if (at < 0 || at + bytes > view.byteLength) throw new DamagedFile("the metadata points outside itself");
}

function charge(buffer: Metadata, bytes: number): void {
  buffer.budget -= bytes;
  if (buffer.budget < 0) throw new DamagedFile("the metadata refers to the same parts again and again");
}

export function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -1n) throw new DamagedFile(`an absurd number (${value})`);
  return Number(value);
}
