import { createHash } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesOf } from "../../system/bytes-of.ts";
import { UserError } from "../../system/errors.ts";
import type { FileDigest } from "../../system/file-digest.ts";
import { rename } from "../../system/files-in-use.ts";
import { syncFolder } from "../../system/sync-folder.ts";
import { elementCount, roundedTo } from "./encoding.ts";
import { headerNames, valueBytes, type SavedType } from "./saved-type.ts";

export type { SavedType } from "./saved-type.ts";

/** A tensor to save; `values` may be a function, called when the tensor's turn comes, so that one at a time is held. */
export interface TensorToSave {
  name: string;
  shape: readonly number[];
  values: Float32Array | (() => Float32Array | Promise<Float32Array>);
  /** Its number format; default: float32. */
  type?: SavedType;
}

/**
 * Writes a safetensors file, tensors in the order of their names, wide number formats first. The data goes to a temporary file beside `path` that
 * takes its place when complete, so a failure leaves what was there before.
 * @param options.type number format of the tensors that do not name theirs (default float32; others round)
 * @param options.onDigest told what was written, taken from memory on the way: what a disk makes of it is not in it
 * @throws UserError if two tensors share a name, if values do not fill their shape, or do not fit the format
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToSave>,
  options: {
    type?: SavedType;
    metadata?: Record<string, string>;
    onDigest?: ((digest: FileDigest) => void) | undefined;
  } = {},
): Promise<void> {
  const { type: usual = "float32", metadata = { format: "pt" }, onDigest } = options;
  const sorted = [...tensors].map((tensor) => ({ type: usual, ...tensor })).sort(inFileOrder);
  const header = describe(sorted, metadata, path);
  const temporary = `${path}.${process.pid}.partial`;
  const handle = await open(temporary, "w");
  const digest = onDigest && createHash("sha256");
  let bytes = 0;
  const write = async (part: Uint8Array): Promise<void> => {
    const [written] = await Promise.allSettled([writeAll(handle, part), digest?.update(part)]); // both at once
    if (written.status === "rejected") throw written.reason;
    bytes += part.length;
  };
  try {
    await write(header);
    for (const tensor of sorted) await write(await encoded(tensor, path));
    await handle.sync();
    await handle.close();
    rename(temporary, path);
    syncFolder(dirname(path));
    if (digest) onDigest?.({ bytes, sha256: digest.digest("hex") });
  } catch (error) {
    await handle.close().catch(() => undefined); // closed twice where the rename failed
    await rm(temporary, { force: true });
    throw error;
  }
}

type TypedTensor = Required<TensorToSave>;

/** That of the reference implementation, in which each number lies at a multiple of its size. */
function inFileOrder(one: TypedTensor, other: TypedTensor): number {
  const order: readonly SavedType[] = ["float32", "bfloat16", "float16"];
  return order.indexOf(one.type) - order.indexOf(other.type) || (one.name < other.name ? -1 : 1);
}

/** The length prefix and the JSON header, padded with blanks so that the data starts at a multiple of 8. */
function describe(tensors: TypedTensor[], metadata: Record<string, string>, where: string): Uint8Array {
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  for (const [i, { name, shape, type }] of tensors.entries()) {
    if (name === tensors[i - 1]?.name || name === "__metadata__") {
      throw new UserError("repeated-tensor", `two tensors would be saved as ${name}`, { where });
    }
    const end = offset + (elementCount(shape) ?? NaN) * valueBytes(type);
    entries.push([name, { dtype: headerNames[type], shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const members = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}

async function encoded({ name, shape, values, type }: TypedTensor, where: string): Promise<Uint8Array> {
  const numbers = typeof values === "function" ? await values() : values;
  if (numbers.length !== elementCount(shape)) {
    throw new UserError("wrong-shape", `${name} has ${numbers.length} values for the shape [${shape.join(", ")}]`, {
      where,
    });
  }
  if (type === "float32") return bytesOf(numbers);
  const { bits, tooLarge } = roundedTo(type, numbers);
  if (tooLarge === undefined) return bytesOf(bits);
  throw new UserError("out-of-range", `${name} holds ${tooLarge}, too large for ${type}`, {
    where,
    fix: `Save as float32${type === "float16" ? " or bfloat16" : ""} (save.dtype in a configuration).`,
  });
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  const mostBytesPerCall = 2 ** 30;
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(mostBytesPerCall, bytes.length - done));
    done += bytesWritten;
  }
}
