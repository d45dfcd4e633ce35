import type { StoredEncoding } from "../../tensor/stored-weight.ts";
import { bfloat16, float16, float32, halfTable } from "./encoding.ts";

/*
 * The block formats of GGUF, decoded to float32 exactly as the reference does
 * (https://github.com/ggml-org/llama.cpp, gguf-py/gguf/quants.py and ggml/src/ggml-common.h).
 * Blocks of 32 numbers have one scale; blocks of 256 ("K") have a scale per 32 or 16 numbers as well.
 */

/** Reads the half-precision number at byte `at`. */
const half = (source: Uint8Array, at: number): number => halfTable()[source[at]! | (source[at + 1]! << 8)]!;

function eachBlock(
  blockBytes: number,
  blockValues: number,
  decode: (source: Uint8Array, target: Float32Array, at: number, to: number) => void,
): StoredEncoding["decode"] {
  return (source, target) => {
    for (let at = 0, to = 0; to < target.length; at += blockBytes, to += blockValues) decode(source, target, at, to);
  };
}

/** Q8_0: scale, 32 signed bytes. */
const q8_0: StoredEncoding = {
  name: "Q8_0",
  blockValues: 32,
  blockBytes: 34,
  halvesAt: [0],
  decode: eachBlock(34, 32, (source, target, at, to) => {
    const scale = half(source, at);
    for (let i = 0; i < 32; i++) target[to + i] = scale * ((source[at + 2 + i]! << 24) >> 24);
  }),
};

/**
 * Q4_0, Q4_1, Q5_0, Q5_1: scale, then the minimum (`_1`), then the fifth bits of 32 numbers (`5`), then 16 bytes whose
 * low halves are the first 16 numbers and whose high halves are the last 16. Without a minimum, numbers are centred.
 */
function smallBlock(bits: 4 | 5, hasMinimum: boolean): StoredEncoding {
  const fifthBits = hasMinimum ? 4 : 2;
  const low = bits === 5 ? fifthBits + 4 : fifthBits;
  const blockBytes = low + 16;
  const centre = hasMinimum ? 0 : 2 ** (bits - 1);
  return {
    name: `Q${bits}_${hasMinimum ? 1 : 0}`,
    blockValues: 32,
    blockBytes,
    halvesAt: hasMinimum ? [0, 2] : [0],
    decode: eachBlock(blockBytes, 32, (source, target, at, to) => {
      const scale = half(source, at);
      const minimum = hasMinimum ? half(source, at + 2) : -0; // x + -0 is x, also where x is -0
      for (let i = 0; i < 32; i++) {
        const number = (source[at + low + (i & 15)]! >> (i < 16 ? 0 : 4)) & 15;
        const fifth = bits === 5 ? ((source[at + fifthBits + (i >> 3)]! >> (i & 7)) & 1) << 4 : 0;
        target[to + i] = scale * ((number | fifth) - centre) + minimum;
      }
    }),
  };
}

/**
 * Q4_K and Q5_K: scale, scale of the minima, 12 bytes with eight 6-bit scales and eight 6-bit minima, the fifth bits of
 * 256 numbers (`5`), then 128 bytes: each run of 32 bytes holds 32 numbers in its low and the next 32 in its high halves.
 */
function largeBlock(bits: 4 | 5): StoredEncoding {
  const fifthBits = 16;
  const low = bits === 5 ? 48 : 16;
  const blockBytes = low + 128;
  return {
    name: `Q${bits}_K`,
    blockValues: 256,
    blockBytes,
    halvesAt: [0, 2],
    decode: eachBlock(blockBytes, 256, (source, target, at, to) => {
      for (let group = 0; group < 8; group++) {
        const scale = half(source, at) * groupScale(source, at + 4, group);
        const minimum = half(source, at + 2) * groupMinimum(source, at + 4, group);
        const run = at + low + (group >> 1) * 32;
        for (let i = 0; i < 32; i++) {
          const number = (source[run + i]! >> (group & 1 ? 4 : 0)) & 15;
          const fifth = bits === 5 ? ((source[at + fifthBits + i]! >> group) & 1) << 4 : 0;
          target[to + group * 32 + i] = scale * (number | fifth) - minimum;
        }
      }
    }),
  };
}

/** The scale of a group of 32: six bits, of which groups 4-7 keep the top two beside those of groups 0-3. */
function groupScale(source: Uint8Array, at: number, group: number): number {
  if (group < 4) return source[at + group]! & 63;
  return (source[at + 4 + group]! & 15) | ((source[at + group - 4]! >> 2) & 48);
}

/** The minimum of a group of 32, packed in the same way four bytes on, its low bits in the high halves. */
function groupMinimum(source: Uint8Array, at: number, group: number): number {
  if (group < 4) return source[at + 4 + group]! & 63;
  return (source[at + 4 + group]! >> 4) | ((source[at + group]! >> 2) & 48);
}

/** Q6_K: 128 bytes of low four bits, 64 bytes of high two bits, sixteen signed scales, scale. */
const q6_K: StoredEncoding = {
  name: "Q6_K",
  blockValues: 256,
  blockBytes: 210,
  halvesAt: [208],
  decode: eachBlock(210, 256, (source, target, at, to) => {
    const scale = half(source, at + 208);
    for (let i = 0; i < 256; i++) {
      const halfBlock = i >> 7; // each 128 numbers have 64 bytes of low and 32 bytes of high bits
      const quarter = (i >> 5) & 3;
      const low = source[at + halfBlock * 64 + (i & 63)]! >> (quarter & 2 ? 4 : 0);
      const high = source[at + 128 + halfBlock * 32 + (i & 31)]! >> (2 * quarter);
      const groupScale = (source[at + 192 + (i >> 4)]! << 24) >> 24;
      target[to + i] = scale * groupScale * (((low & 15) | ((high & 3) << 4)) - 32);
    }
  }),
};

/** Encodings by their number in GGUF tensor descriptions. */
export const ggufEncodings: ReadonlyMap<number, StoredEncoding> = new Map([
  [0, float32],
  [1, float16],
  [2, smallBlock(4, false)],
  [3, smallBlock(4, true)],
  [6, smallBlock(5, false)],
  [7, smallBlock(5, true)],
  [8, q8_0],
  [12, largeBlock(4)],
  [13, largeBlock(5)],
  [14, q6_K],
  [30, bfloat16],
]);

/** Names of the numbers that are not decoded, for messages. */
export const otherGgufTypes: ReadonlyMap<number, string> = new Map([
  [9, "Q8_1"],
  [10, "Q2_K"],
  [11, "Q3_K"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [24, "I8"],
  [25, "I16"],
  [26, "I32"],
  [27, "I64"],
  [28, "F64"],
  [29, "IQ1_M"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
]);
