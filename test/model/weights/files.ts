import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "@jest/globals";
import { openFile } from "../../../src/model/weights/file.ts";

/** The path of a fixture; test/fixtures/weights/make.py made them. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/weights/${name}`, import.meta.url));
}

export async function fixtureJson<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(fixture(name), "utf8")) as T;
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}

export function floatsOf(base64: string): Float32Array {
  return new Float32Array(bytesOf(base64).buffer);
}

/** A folder for the tests of one file, removed afterwards; the result joins names to it. */
export function temporaryFolder(): (name: string) => string {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tokensift-weights-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

/** Writes the bytes, opens them as a file and hands it to `use`. */
export async function withFile<T>(
  path: string,
  bytes: Uint8Array,
  use: (file: Awaited<ReturnType<typeof openFile>>) => T | Promise<T>,
): Promise<T> {
  await writeFile(path, bytes);
  const file = await openFile(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Bytes of little-endian numbers and texts one after the other: GGUF headers by hand. */
export function pack(
  ...parts: (["u32" | "u64" | "f32", number | bigint] | ["text", string] | Uint8Array)[]
): Uint8Array {
  return Buffer.concat(
    parts.map((part) => {
      if (part instanceof Uint8Array) return part;
      const [kind, value] = part;
      if (kind === "text") return pack(["u64", Buffer.byteLength(value)], Buffer.from(value));
      const view = new DataView(new ArrayBuffer(kind === "u64" ? 8 : 4));
      if (kind === "u64") view.setBigUint64(0, BigInt(value), true);
      else if (kind === "u32") view.setUint32(0, Number(value), true);
      else view.setFloat32(0, Number(value), true);
      return new Uint8Array(view.buffer);
    }),
  );
}
