import { statSync } from "node:fs";
import { extname } from "node:path";
import { UserError } from "../system/errors.ts";
import { compressionOf, decompressed, withoutCompression, type Compression } from "./compressed.ts";
import { refusePointer } from "./files.ts";
import { fileReaders } from "./readers/files.ts";
import type { Reader } from "./readers/reader.ts";

/**
 * Chooses the reader of a file by its extension, or by its first bytes where the extension says nothing.
 *
 * @returns undefined for a file of no kind that is read
 * @throws UserError for an empty file, and for one that only says where Git LFS keeps the data
 */
export function fileReader(path: string): Reader | undefined {
  const { size } = statSync(path);
  if (size === 0) throw new UserError("empty-file", "the file is empty", { where: path });
  const head = refusePointer(path);
  const known = readerByExtension(path);
  const compression = known?.isText === true ? compressionOf(path, head) : undefined;
  if (known !== undefined && compression !== undefined) return ofCompressed(known, compression);
  if (known !== undefined && withoutCompression(path) === path) return known;
  return fileReaders.find(({ magic }) => magic?.(head) ?? false);
}

/** The reader of files with this ending, also where `.gz` or `.zst` stands behind it. */
export function readerByExtension(name: string): Reader | undefined {
  const extension = extname(withoutCompression(name)).toLowerCase();
  const known = fileReaders.find(({ extensions }) => extensions.includes(extension));
  return withoutCompression(name) === name || known?.isText === true ? known : undefined;
}

/** Reads a compressed file by way of a temporary one. */
function ofCompressed(reader: Reader, compression: Compression): Reader {
  return {
    ...reader,
    async open(path) {
      const plain = await decompressed(path, compression);
      if (statSync(plain).size === 0) throw new UserError("empty-file", "the file is empty", { where: path });
      return { ...(await reader.open(plain, { name: path })), files: [path] };
    },
  };
}
