import * as zlib from "node:zlib";
import { CompressionType, compressionRegistry } from "apache-arrow";
import { UserError } from "../../system/errors.ts";
import { decompressLz4 } from "./lz4.ts";

/** Decompressed bytes of one record batch; more is refused. */
const LIMIT = 2 ** 31;
let remaining = 0;

type ZstdDecompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Makes compressed batches readable where Node has the codec; called before each compressed batch. */
export function prepareDecompression(): void {
  remaining = LIMIT;
  compressionRegistry.set(CompressionType.ZSTD, { decode: zstd });
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: lz4 });
}

function zstd(bytes: Uint8Array): Uint8Array {
  const decompress = (zlib as { zstdDecompressSync?: ZstdDecompress }).zstdDecompressSync; // Node >= 22.15
  if (!decompress) {
    throw new UserError("unsupported-file", "the file is compressed with Zstandard, which needs Node 22.15 or newer", {
      fix: 'Write it uncompressed: pyarrow.feather.write_feather(table, path, compression="uncompressed").',
    });
  }
  const output = decompress(bytes, { maxOutputLength: remaining });
  remaining -= output.length;
  return output;
}

function lz4(bytes: Uint8Array): Uint8Array {
  const output = decompressLz4(bytes, remaining);
  remaining -= output.length;
  return output;
}
