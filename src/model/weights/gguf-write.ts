import { bytesOf } from "../../system/bytes-of.ts";
import { UserError } from "../../system/errors.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { GgufEntries, GgufValue } from "../gguf-entries.ts";
import { ggufEncoders, type GgufType } from "./quantize.ts";

/** A tensor to write: `values` is called when its turn comes, so that one at a time is held. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  values(): Float32Array | Promise<Float32Array>;
}

export interface GgufContents {
  readonly entries: GgufEntries;
  readonly tensors: readonly GgufTensor[];
}

const alignment = 32;
const chunkValues = 2 ** 20; // a multiple of every block

/**
 * Writes a GGUF file, version 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), from front to
 * back: header, then one tensor after the other, some megabytes at a time.
 * @param write takes the next bytes of the file
 * @throws UserError for values that do not fill their shape or do not fit their format
 */
export async function writeGguf(
  { entries, tensors }: GgufContents,
  write: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const header = describe({ ...entries, "general.alignment": alignment }, tensors);
  await write(header);
  await write(padding(header.length));
  for (const tensor of tensors) {
    const values = await tensor.values();
    const { blockValues, encode } = ggufEncoders[tensor.type];
    if (values.length !== sizeOf(tensor.shape) || (tensor.shape.at(-1) ?? 1) % blockValues !== 0) {
      const shape = tensor.shape.join(", ");
      throw new UserError("wrong-shape", `${tensor.name} has ${values.length} values for [${shape}] as ${tensor.type}`);
    }
    for (let from = 0; from < values.length; from += chunkValues)
      await write(encode(values.subarray(from, from + chunkValues), tensor.name));
    await write(padding(ggufTensorBytes(tensor)));
  }
}

/** Bytes of a tensor in the file. */
export function ggufTensorBytes({ shape, type }: Pick<GgufTensor, "shape" | "type">): number {
  const { blockValues, blockBytes } = ggufEncoders[type];
  return (sizeOf(shape) / blockValues) * blockBytes;
}

/** Up to the next multiple of the alignment. */
function padding(length: number): Uint8Array {
  return new Uint8Array((alignment - (length % alignment)) % alignment);
}

function describe(entries: GgufEntries, tensors: readonly GgufTensor[]): Uint8Array {
  const writer = headerWriter();
  writer.bytes(new TextEncoder().encode("GGUF"));
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(Object.keys(entries).length);
  for (const [key, value] of Object.entries(entries)) {
    writer.text(key);
    writeValue(writer, value);
  }
  let offset = 0;
  const names = new Set<string>();
  for (const tensor of tensors) {
    if (names.has(tensor.name)) throw new UserError("repeated-tensor", `two tensors would be saved as ${tensor.name}`);
    names.add(tensor.name);
    writer.text(tensor.name);
    writer.u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) writer.u64(size);
    writer.u32(ggufEncoders[tensor.type].code);
    writer.u64(offset);
    const size = ggufTensorBytes(tensor);
    offset += size + padding(size).length;
  }
  return writer.finish();
}

const codes = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8, list: 9 } as const;

function writeValue(writer: HeaderWriter, value: GgufValue): void {
  if (typeof value === "string") {
    writer.u32(codes.text);
    writer.text(value);
  } else if (typeof value === "boolean") {
    writer.u32(codes.bool);
    writer.bytes(Uint8Array.of(Number(value)));
  } else if (typeof value === "number") {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** 32)) throw new Error(`${value} is no 32-bit number`);
    writer.u32(codes.u32);
    writer.u32(value);
  } else if ("float" in value) {
    writer.u32(codes.f32);
    writer.bytes(bytesOf(Float32Array.of(value.float)));
  } else writeList(writer, value);
}

function writeList(
  writer: HeaderWriter,
  list: Exclude<GgufValue, string | boolean | number | { float: number }>,
): void {
  writer.u32(codes.list);
  const head = (code: number): void => {
    writer.u32(code);
    writer.u64(list.length);
  };
  if (list instanceof Int32Array || list instanceof Uint32Array || list instanceof Float32Array) {
    head(list instanceof Float32Array ? codes.f32 : list instanceof Int32Array ? codes.i32 : codes.u32);
    writer.bytes(bytesOf(list));
  } else if (typeof list[0] === "boolean") {
    head(codes.bool);
    writer.bytes(Uint8Array.from(list as readonly boolean[], Number));
  } else {
    head(codes.text);
    for (const text of list as readonly string[]) writer.text(text);
  }
}

type HeaderWriter = ReturnType<typeof headerWriter>;

function headerWriter() {
  let buffer = new Uint8Array(2 ** 16);
  let length = 0;
  const encoder = new TextEncoder();
  const room = (bytes: number): DataView => {
    if (length + bytes > buffer.length) {
      const larger = new Uint8Array(2 * (length + bytes));
      larger.set(buffer);
      buffer = larger;
    }
    length += bytes;
    return new DataView(buffer.buffer, length - bytes, bytes);
  };
  const bytes = (source: Uint8Array): void => {
    room(source.length);
    buffer.set(source, length - source.length);
  };
  const u64 = (value: number): void => room(8).setBigUint64(0, BigInt(value), true);
  return {
    bytes,
    u64,
    u32: (value: number): void => room(4).setUint32(0, value, true),
    text(value: string): void {
      const encoded = encoder.encode(value);
      u64(encoded.length);
      bytes(encoded);
    },
    finish: (): Uint8Array => buffer.subarray(0, length),
  };
}
