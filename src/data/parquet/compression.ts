import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { compressors, decompressLz4 } from "hyparquet-compressors";
import { UserError } from "../../system/errors.ts";
import { DamagedFile } from "../damaged.ts";
import { decompressLz4Block } from "../arrow/lz4.ts";
import { unzstd } from "../zstandard/frames.ts";

type Decompress = (bytes: Uint8Array, length: number) => Uint8Array;

/** By their number in the format. Where Node has the codec, that is used: it is faster. */
const codecs: readonly [name: string, decompress: Decompress | undefined][] = [
  ["none", (bytes) => bytes],
  ["Snappy", compressors.SNAPPY],
  ["GZIP", (bytes, length) => gunzipSync(bytes, { maxOutputLength: length + 1 })],
  ["LZO", undefined],
  ["Brotli", (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: length + 1 })],
  ["LZ4 of Hadoop", decompressLz4],
  ["Zstandard", zstandard],
  ["LZ4", decompressLz4Block], // that of hyparquet refuses blocks that end without a literal
];

/** By way of the stream, which says how much there is: at once, what a page has too much or too little goes unseen. */
function zstandard(bytes: Uint8Array, length: number): Uint8Array {
  const page = new Uint8Array(length);
  let at = 0;
  const stream = unzstd((piece) => {
    page.set(piece, at); // throws where it does not fit
    at += piece.length;
  });
  stream.push(bytes);
  stream.end();
  return page.subarray(0, at);
}

/**
 * Decompresses a page in memory of its own: decoders look behind the bytes that they are given.
 *
 * @param length as the page's header has it; the caller has bounded it
 */
export function decompressPage(codec: number, bytes: Uint8Array, length: number): Uint8Array {
  const [name, decompress] = codecs[codec] ?? [`unknown (number ${codec})`, undefined];
  if (decompress === undefined) {
    throw new UserError("unsupported-file", `the compression is ${name}, which is not read`, {
      fix: 'Write the file with another one (pyarrow: compression="zstd").',
    });
  }
  if (length === 0) return new Uint8Array(); // which need not be a stream of the codec
  let page: Uint8Array;
  try {
    page = decompress(bytes, length);
  } catch (error) {
    throw new DamagedFile(`a page cannot be decompressed (${name}: ${(error as Error).message})`);
  }
  if (page.length !== length) throw new DamagedFile(`a page has ${page.length} bytes instead of ${length}`);
  return page.byteLength === page.buffer.byteLength ? page : Uint8Array.prototype.slice.call(page);
}
