import { createHash } from "node:crypto";
import type { DecoderConfig } from "../config.ts";
import type { StoredTensor } from "./encoding.ts";
import type { RandomAccessFile } from "./file.ts";

const stretches = 16;
const stretchBytes = 4096;

/** A tensor and the file that holds it. */
export interface LocatedTensor {
  tensor: StoredTensor;
  file: RandomAccessFile;
}

/** See `WeightSource.fingerprint`. Reads at most 64 KiB of each tensor. */
export async function fingerprint(config: DecoderConfig, tensors: ReadonlyMap<string, LocatedTensor>): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(config));
  for (const name of [...tensors.keys()].sort()) {
    const { tensor, file } = tensors.get(name)!;
    hash.update(JSON.stringify([name, tensor.encoding.name, tensor.shape]));
    hash.update(await sample(file, tensor));
  }
  return hash.digest("hex");
}

async function sample(file: RandomAccessFile, { offset, bytes }: StoredTensor): Promise<Uint8Array> {
  const taken = new Uint8Array(Math.min(bytes, stretches * stretchBytes));
  if (taken.length === bytes) {
    await file.read(offset, taken);
    return taken;
  }
  for (let i = 0; i < stretches; i++) {
    const at = Math.floor((i * (bytes - stretchBytes)) / (stretches - 1));
    await file.read(offset + at, taken.subarray(i * stretchBytes, (i + 1) * stretchBytes));
  }
  return taken;
}
