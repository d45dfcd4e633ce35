import { bytesOf } from "../../system/bytes-of.ts";
import { UserError } from "../../system/errors.ts";
import { ggufEncodings } from "./dequantize.ts";
import { roundedTo } from "./encoding.ts";

/** Number formats in which tensors are written to GGUF files. */
export type GgufType = "f32" | "f16" | "bf16" | "q8_0" | "q4_0";

/** How numbers are written: blocks of `blockBytes` bytes that each hold `blockValues` numbers of one row. */
export interface GgufEncoder {
  /** Its number in the descriptions of tensors. */
  readonly code: number;
  readonly blockValues: number;
  readonly blockBytes: number;
  /**
   * Rounds whole blocks. Equal, bit for bit, to `gguf.quants.quantize` of llama.cpp's Python package.
   * @throws UserError for numbers that the format does not hold; `name` is the tensor's
   */
  encode(values: Float32Array, name: string): Uint8Array;
}

const { fround } = Math;

/** Formats by name. */
export const ggufEncoders: Readonly<Record<GgufType, GgufEncoder>> = {
  f32: encoder(0, bytesOf),
  f16: encoder(1, (values, name) => bytesOf(narrowed(values, name, "float16"))),
  bf16: encoder(30, (values, name) => bytesOf(narrowed(values, name, "bfloat16"))),
  q8_0: encoder(8, eightBits),
  q4_0: encoder(2, fourBits),
};

/** All formats, from the largest. */
export const ggufTypes = Object.keys(ggufEncoders) as GgufType[];

function encoder(code: number, encode: GgufEncoder["encode"]): GgufEncoder {
  const { blockValues, blockBytes } = ggufEncodings.get(code)!;
  return {
    ...{ code, blockValues, blockBytes },
    encode(values, name) {
      for (let i = 0; i < values.length; i++)
        if (!Number.isFinite(values[i]))
          throw new UserError("not-finite", `${name} holds ${values[i]}`, { fix: "The model is damaged." });
      return encode(values, name);
    },
  };
}

function narrowed(values: Float32Array, name: string, format: "float16" | "bfloat16"): Uint16Array {
  const { bits, tooLarge } = roundedTo(format, values);
  if (tooLarge === undefined) return bits;
  const [what, fix] = format === "float16" ? ["half precision", "Write bf16 or f32."] : ["bf16", "Write f32."];
  throw new UserError("out-of-range", `${name} holds ${tooLarge}, too large for ${what}`, { fix });
}

/** Per block of 32: the largest magnitude / 127 in half precision, then 32 signed bytes. Halves round away from 0. */
function eightBits(values: Float32Array, name: string): Uint8Array {
  const blocks = values.length / 32;
  const scales = new Float32Array(blocks);
  const bytes = new Uint8Array(blocks * 34);
  for (let block = 0; block < blocks; block++) {
    const from = block * 32;
    let largest = 0;
    for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[from + i]!));
    const scale = fround(largest / 127);
    scales[block] = scale;
    const inverse = inverseOf(scale);
    for (let i = 0; i < 32; i++) {
      const number = fround(values[from + i]! * inverse);
      const size = Math.abs(number);
      const whole = Math.floor(size);
      const rounded = whole + Math.floor(2 * (size - whole));
      bytes[block * 34 + 2 + i] = number < 0 ? -rounded : rounded;
    }
  }
  return withScales(bytes, scales, 34, name);
}

/**
 * Per block of 32: the number of largest magnitude / -8 in half precision, then 16 bytes whose low halves are the first
 * 16 numbers (plus 8) and whose high halves are the last 16.
 */
function fourBits(values: Float32Array, name: string): Uint8Array {
  const blocks = values.length / 32;
  const scales = new Float32Array(blocks);
  const bytes = new Uint8Array(blocks * 18);
  for (let block = 0; block < blocks; block++) {
    const from = block * 32;
    let largest = values[from]!;
    for (let i = 1; i < 32; i++) if (Math.abs(values[from + i]!) > Math.abs(largest)) largest = values[from + i]!;
    const scale = fround(largest / -8);
    scales[block] = scale;
    const inverse = inverseOf(scale);
    const digit = (i: number): number => Math.min(15, Math.trunc(fround(fround(values[from + i]! * inverse) + 8.5)));
    for (let i = 0; i < 16; i++) bytes[block * 18 + 2 + i] = digit(i) | (digit(i + 16) << 4);
  }
  return withScales(bytes, scales, 18, name);
}

/** 0 where there is none: half precision rounds such a scale to 0. */
function inverseOf(scale: number): number {
  const inverse = scale === 0 ? 0 : fround(1 / scale);
  return Number.isFinite(inverse) ? inverse : 0;
}

/** Puts each block's scale before its numbers. */
function withScales(bytes: Uint8Array, scales: Float32Array, blockBytes: number, name: string): Uint8Array {
  const rounded = narrowed(scales, name, "float16");
  for (let block = 0; block < rounded.length; block++) {
    bytes[block * blockBytes] = rounded[block]! & 255;
    bytes[block * blockBytes + 1] = rounded[block]! >> 8;
  }
  return bytes;
}
