import * as zlib from "node:zlib";
import { CompressionType, compressionRegistry } from "apache-arrow";
import { UserError } from "../../errors.ts";

/** Decompressed bytes of one record batch; more is refused. */
const LIMIT = 2 ** 31;
let remaining = 0;

type ZstdDecompress = (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Makes compressed batches readable where Node has the codec; called before each compressed batch. */
export function prepareDecompression(): void {
  remaining = LIMIT;
  compressionRegistry.set(CompressionType.ZSTD, { decode: zstd });
  compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: () => unsupported("LZ4") });
}

function zstd(bytes: Uint8Array): Uint8Array {
  const decompress = (zlib as { zstdDecompressSync?: ZstdDecompress }).zstdDecompressSync; // Node >= 22.15
  if (!decompress) return unsupported("Zstandard (which needs Node 22.15 or newer)");
  const output = decompress(bytes, { maxOutputLength: remaining });
  remaining -= output.length;
  return output;
}

function unsupported(codec: string): never {
  throw new UserError(`the file is compressed with ${codec}, which is not read`, {
    fix: 'Write it uncompressed: pyarrow.feather.write_feather(table, path, compression="uncompressed").',
  });
}
