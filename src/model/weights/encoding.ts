import { UserError } from "../../system/errors.ts";
import { halfFloat } from "../../system/half-float.ts";
import type { StoredEncoding, StoredWeight } from "../../tensor/stored-weight.ts";
import type { RandomAccessFile } from "./file.ts";

/** Where one tensor lies: `offset` in bytes from the start of the file. */
export interface StoredTensor {
  name: string;
  shape: number[];
  encoding: StoredEncoding;
  offset: number;
  bytes: number;
}

/**
 * A matrix that stays in its file; undefined for what is no matrix, or float32.
 * @param head rows of a head where the file holds pairs that rotate together side by side, see `StoredWeight`
 */
export function storedWeight(file: RandomAccessFile, tensor: StoredTensor, head = 0): StoredWeight | undefined {
  const { shape, encoding, offset } = tensor;
  if (shape.length !== 2 || encoding === float32) return undefined;
  return { kind: "stored", shape: shape as [number, number], encoding, file, offset, head };
}

/** What a file says of a tensor's numbers. */
export function heldAs({ encoding, bytes }: StoredTensor): { format: string; bytes: number } {
  return { format: encoding.name, bytes };
}

const chunkBytes = 4 * 2 ** 20;
const mostValues = 2 ** 31; // 8 GiB as float32

/** Reads and decodes one tensor, a few megabytes at a time; the result is row-major. */
export async function readStored(file: RandomAccessFile, tensor: StoredTensor): Promise<Float32Array> {
  const { blockBytes, blockValues, decode } = tensor.encoding;
  const count = (tensor.bytes / blockBytes) * blockValues;
  if (count > mostValues)
    throw new UserError("too-large", `${tensor.name} has ${count} values, too many`, { where: file.path });
  const values = new Float32Array(count);
  if (tensor.encoding === float32) {
    await file.read(tensor.offset, new Uint8Array(values.buffer));
    return values;
  }
  const blocksPerChunk = Math.floor(chunkBytes / blockBytes);
  const buffer = new Uint8Array(Math.min(tensor.bytes, blocksPerChunk * blockBytes));
  for (let done = 0; done < tensor.bytes; done += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, tensor.bytes - done));
    await file.read(tensor.offset + done, chunk);
    const first = (done / blockBytes) * blockValues;
    decode(chunk, values.subarray(first, first + (chunk.length / blockBytes) * blockValues));
  }
  return values;
}

/**
 * The same for weights.
 * @throws UserError that names the tensor if one of its numbers is NaN or infinite
 */
export async function readWeights(file: RandomAccessFile, tensor: StoredTensor): Promise<Float32Array> {
  const values = await readStored(file, tensor);
  let sum = 0; // of zeros: the difference of a finite number to itself
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  if (sum === 0) return values;
  const at = values.findIndex((value) => !Number.isFinite(value));
  throw nonFinite(tensor, values[at]!, at, file.path);
}

/**
 * Looks through a tensor of 16-bit or quantized numbers that stays in its file, a few megabytes at a time. Of a quantized
 * block only its real numbers, the scale and the minimum, can be NaN or infinite: the place is that of its first weight.
 * @throws UserError that names the tensor if one of its numbers is NaN or infinite
 */
export async function requireFinite(file: RandomAccessFile, tensor: StoredTensor): Promise<void> {
  const { encoding, bytes } = tensor;
  const { blockBytes, blockValues, halvesAt } = encoding;
  if (halvesAt === undefined) return;
  const stride = blockBytes / 2; // all blocks are whole numbers of halves
  const exponent = encoding === bfloat16 ? 0x7f80 : 0x7c00;
  const halves = new Uint16Array(Math.min(bytes, Math.floor(chunkBytes / blockBytes) * blockBytes) / 2);
  for (let done = 0; done < bytes; done += halves.byteLength) {
    const chunk = halves.subarray(0, Math.min(halves.length, (bytes - done) / 2));
    await file.read(tensor.offset + done, new Uint8Array(chunk.buffer, 0, chunk.byteLength));
    for (let block = 0; block < chunk.length; block += stride) {
      for (const first of halvesAt) {
        const half = chunk[block + first / 2]!;
        if ((half & exponent) !== exponent) continue;
        const at = ((done + 2 * block) / blockBytes) * blockValues;
        throw nonFinite(tensor, valueOf(half, encoding), at, file.path);
      }
    }
  }
}

function valueOf(half: number, encoding: StoredEncoding): number {
  const value = new Float32Array(1);
  (encoding === bfloat16 ? bfloat16 : float16).decode(new Uint8Array(Uint16Array.of(half).buffer), value);
  return value[0]!;
}

function nonFinite({ name, encoding }: StoredTensor, value: number, at: number, where: string): UserError {
  const holds = encoding.blockValues === 1 ? `holds ${value}` : `has the scale ${value} in ${encoding.name}`;
  return new UserError("not-finite", `the weight ${name} ${holds} at place ${at}`, {
    where,
    fix: "The training that made it diverged, or the file is damaged: take an earlier checkpoint, or fetch it again.",
  });
}

/** Number of elements of a shape, or undefined if it is not a list of sizes or does not fit a safe integer. */
export function elementCount(shape: unknown): number | undefined {
  if (!Array.isArray(shape)) return undefined;
  let count = 1;
  for (const size of shape as unknown[]) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
    count *= size;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

export const float32: StoredEncoding = {
  name: "F32",
  blockValues: 1,
  blockBytes: 4,
  decode: (source, target) => {
    target.set(new Float32Array(source.buffer, source.byteOffset, target.length));
  },
};

export const float16: StoredEncoding = {
  name: "F16",
  blockValues: 1,
  blockBytes: 2,
  halvesAt: [0],
  decode: (source, target) => {
    const halves = new Uint16Array(source.buffer, source.byteOffset, target.length);
    const table = halfTable();
    for (let i = 0; i < target.length; i++) target[i] = table[halves[i]!]!;
  },
};

export const bfloat16: StoredEncoding = {
  name: "BF16",
  blockValues: 1,
  blockBytes: 2,
  halvesAt: [0],
  decode: (source, target) => {
    const halves = new Uint16Array(source.buffer, source.byteOffset, target.length);
    const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
    for (let i = 0; i < target.length; i++) bits[i] = halves[i]! << 16;
  },
};

let halves: Float32Array | undefined;

/** The value of each of the 65,536 half-precision bit patterns (IEEE 754 binary16); built at first use. */
export function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfFloat(bits));
  return halves;
}

/** Rounds to bfloat16 bit patterns, ties to even; NaN stays NaN. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Uint16Array(bits.length); // Uint16Array.from takes half a microsecond a number
  for (let i = 0; i < rounded.length; i++) {
    const word = bits[i]!;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    rounded[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return rounded;
}

const halfOfDenormals = 0.5; // single precision numbers from 0.5 on are multiples of 2^-24, the smallest half

/** Rounds to half-precision bit patterns, ties to even; magnitudes from 65,520 on become infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const number = new Float32Array(1);
  const pattern = new Uint32Array(number.buffer);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = bits[i]!;
    const size = word & 0x7fffffff;
    const sign = (word >>> 16) & 0x8000;
    if (size >= 0x47800000) halves[i] = size > 0x7f800000 ? 0x7e00 : sign | 0x7c00;
    else if (size >= 0x38800000) halves[i] = sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
    else {
      pattern[0] = size;
      number[0] = number[0]! + halfOfDenormals; // the addition rounds
      halves[i] = sign | (pattern[0]! - 0x3f000000);
    }
  }
  return halves;
}

/**
 * Rounds to the bit patterns of a format, ties to even.
 * @returns tooLarge the first number that becomes infinite; in bfloat16, too, the largest do, from about 3.396e38
 */
export function roundedTo(
  format: "float16" | "bfloat16",
  values: Float32Array,
): { bits: Uint16Array; tooLarge: number | undefined } {
  const bits = format === "float16" ? toFloat16(values) : toBfloat16(values);
  const infinite = format === "float16" ? 0x7c00 : 0x7f80;
  for (let i = 0; i < bits.length; i++)
    if ((bits[i]! & 0x7fff) === infinite && Number.isFinite(values[i])) return { bits, tooLarge: values[i] };
  return { bits, tooLarge: undefined };
}
