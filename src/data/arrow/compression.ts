import { CompressionType, compressionRegistry } from "apache-arrow";
import { DamagedFile } from "../damaged.ts";
import { unzstd } from "../zstandard/frames.ts";
import { decompressLz4 } from "./lz4.ts";

/** Decompressed bytes of one record batch; more is refused. */
const LIMIT = 2 ** 31;
let remaining = 0;

/** Makes compressed batches readable; called before each compressed batch. */
export function prepareDecompression(): void {
  remaining = LIMIT;
  compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => asStated(bytes, zstd(bytes)) });
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (bytes) => asStated(bytes, lz4(bytes)) });
}

/** The eight bytes before a compressed buffer say how long it was, which the library passes over. */
function asStated(bytes: Uint8Array, output: Uint8Array): Uint8Array {
  const stated = new DataView(bytes.buffer, bytes.byteOffset - 8, 8).getBigInt64(0, true);
  if (BigInt(output.length) === stated) return output;
  throw new DamagedFile(`a buffer has ${output.length} bytes instead of ${stated}`);
}

/** Piece by piece: what a frame claims of its size is not to be trusted. */
function zstd(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  const stream = unzstd((piece) => {
    remaining -= piece.length;
    if (remaining < 0) throw new DamagedFile(`a compressed batch grows to more than ${LIMIT} bytes`);
    pieces.push(piece.slice());
  });
  stream.push(bytes);
  stream.end();
  const [only] = pieces;
  return pieces.length === 1 && only !== undefined ? only : concatenated(pieces);
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function lz4(bytes: Uint8Array): Uint8Array {
  const output = decompressLz4(bytes, remaining);
  remaining -= output.length;
  return output;
}
