// LZ4 frames, as Arrow and Feather files use them: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
// and lz4_Block_format.md. Checksums are not verified; every read and write is bounded.
import { DamagedFile } from "../damaged.ts";

const MAGIC = 0x184d2204;
const SHORTEST_MATCH = 4;

/**
 * Decompresses one LZ4 frame.
 *
 * @throws DamagedFile for a frame that is cut short, points before its start, or grows beyond `limit` bytes
 */
export function decompressLz4(frame: Uint8Array, limit: number): Uint8Array {
  const blocks = splitFrame(frame);
  let length = 0;
  for (const { bytes, stored } of blocks) length += stored ? bytes.length : expandedLength(bytes);
  if (length > limit) throw new DamagedFile(`a compressed buffer grows to more than ${limit} bytes`);
  const output = new Uint8Array(length);
  let at = 0;
  for (const { bytes, stored } of blocks) {
    if (stored) output.set(bytes, at);
    at = stored ? at + bytes.length : expandBlock(bytes, output, at);
  }
  return output;
}

/**
 * Decompresses one LZ4 block without a frame, as Parquet has them.
 *
 * @throws DamagedFile for a block that is cut short, points before its start, or does not give `length` bytes
 */
export function decompressLz4Block(block: Uint8Array, length: number): Uint8Array {
  const found = expandedLength(block);
  if (found !== length) throw new DamagedFile(`an LZ4 block gives ${found} bytes instead of ${length}`);
  const output = new Uint8Array(length);
  expandBlock(block, output, 0);
  return output;
}

function splitFrame(frame: Uint8Array): { bytes: Uint8Array; stored: boolean }[] {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const need = (at: number, bytes: number): void => {
    if (at + bytes > frame.length) throw new DamagedFile("an LZ4 frame is cut short");
  };
  need(0, 7);
  if (view.getUint32(0, true) !== MAGIC) throw new DamagedFile("a compressed buffer is not an LZ4 frame");
  const flags = frame[4]!;
  const checksumBytes = flags & 0x10 ? 4 : 0;
  let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0); // content size and dictionary id are optional
  const blocks: { bytes: Uint8Array; stored: boolean }[] = [];
  for (;;) {
    need(at, 4);
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) return blocks;
    const bytes = size & 0x7fffffff;
    need(at, bytes + checksumBytes);
    blocks.push({ bytes: frame.subarray(at, at + bytes), stored: size >= 0x80000000 });
    at += bytes + checksumBytes;
  }
}

interface Sequence {
  literalsAt: number;
  literals: number;
  /** Bytes to repeat from `distance` before; 0 in the last sequence. */
  match: number;
  distance: number;
}

function* sequences(block: Uint8Array): Generator<Sequence> {
  let at = 0;
  const longLength = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) byte = byteAt(at++);
    return length;
  };
  const byteAt = (position: number): number => {
    const byte = block[position];
    if (byte === undefined) throw new DamagedFile("an LZ4 block is cut short");
    return byte;
  };
  while (at < block.length) {
    const token = byteAt(at++);
    const literals = longLength(token >> 4);
    const literalsAt = at;
    at += literals;
    if (at > block.length) throw new DamagedFile("an LZ4 block is cut short");
    if (at === block.length) {
      yield { literalsAt, literals, match: 0, distance: 0 };
      return;
    }
    const distance = byteAt(at) | (byteAt(at + 1) << 8);
    at += 2;
    yield { literalsAt, literals, match: longLength(token & 15) + SHORTEST_MATCH, distance };
  }
}

function expandedLength(block: Uint8Array): number {
  let length = 0;
  for (const { literals, match } of sequences(block)) length += literals + match;
  return length;
}

function expandBlock(block: Uint8Array, output: Uint8Array, start: number): number {
  let at = start;
  for (const { literalsAt, literals, match, distance } of sequences(block)) {
    output.set(block.subarray(literalsAt, literalsAt + literals), at);
    at += literals;
    if (match > 0 && (distance === 0 || distance > at)) throw new DamagedFile("an LZ4 match points before the start");
    for (const end = at + match; at < end; at++) output[at] = output[at - distance]!; // may overlap itself
  }
  return at;
}
