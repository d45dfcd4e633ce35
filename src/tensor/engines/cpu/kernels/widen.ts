// Numbers as model files hold them, widened to float32: the bits that decoding one number after the other gives. Blocks
// are those of GGUF; `type` is GGUF's number of the type.
import { get, put, splat } from "./simd";

const F16: i32 = 1;
const Q4_0: i32 = 2;
const Q4_1: i32 = 3;
const Q5_0: i32 = 6;
const Q5_1: i32 = 7;
const Q8_0: i32 = 8;
const Q4_K: i32 = 12;
const Q5_K: i32 = 13;
const Q6_K: i32 = 14;
const BF16: i32 = 30;

/** Widens `count` numbers, whole blocks, from `p` to `out`. */
export function widen(type: i32, p: usize, out: usize, count: i32): void {
  const end = out + <usize>count * 4;
  if (type == BF16) return bfloats(p, out, end);
  if (type == F16) return halfFloats(p, out, end);
  if (type == Q8_0) {
    for (; out < end; out += 128, p += 34) q8(p, out);
  } else if (type == Q4_0) {
    for (; out < end; out += 128, p += 18) {
      const scale = halfAt(p);
      smallBlock(v128.load(p, 2), splat(scale), splat(-0.0), i8x16.splat(8), out);
    }
  } else if (type == Q4_1) {
    for (; out < end; out += 128, p += 20)
      smallBlock(v128.load(p, 4), splat(halfAt(p)), splat(halfAt(p + 2)), i8x16.splat(0), out);
  } else if (type == Q5_0) {
    for (; out < end; out += 128, p += 22)
      smallBlockOfFive(p + 2, splat(halfAt(p)), splat(-0.0), i8x16.splat(16), out);
  } else if (type == Q5_1) {
    for (; out < end; out += 128, p += 24)
      smallBlockOfFive(p + 4, splat(halfAt(p)), splat(halfAt(p + 2)), i8x16.splat(0), out);
  } else if (type == Q4_K) {
    for (; out < end; out += 1024, p += 144) largeBlock(p, p + 16, 0, out);
  } else if (type == Q5_K) {
    for (; out < end; out += 1024, p += 176) largeBlock(p, p + 48, p + 16, out);
  } else if (type == Q6_K) {
    for (; out < end; out += 1024, p += 210) q6(p, out);
  } else {
    unreachable();
  }
}

/** The half-precision number at `p`. */
function halfAt(p: usize): f32 {
  const bits = <u32>load<u16>(p);
  const size = bits & 0x7fff;
  const sign = (bits & 0x8000) << 16;
  if (size < 0x400) return reinterpret<f32>(reinterpret<u32>(<f32>size * <f32>5.9604644775390625e-8) | sign);
  return reinterpret<f32>(((size << 13) + (size < 0x7c00 ? 0x38000000 : 0x70000000)) | sign);
}

function bfloats(p: usize, out: usize, end: usize): void {
  for (; out + 32 <= end; out += 32, p += 16) {
    const v = get(p);
    put(out, i32x4.shl(i32x4.extend_low_i16x8_u(v), 16));
    v128.store(out, i32x4.shl(i32x4.extend_high_i16x8_u(v), 16), 16);
  }
  for (; out < end; out += 4, p += 2) store<u32>(out, <u32>load<u16>(p) << 16);
}

function halfFloats(p: usize, out: usize, end: usize): void {
  for (; out + 32 <= end; out += 32, p += 16) {
    const v = get(p);
    put(out, fourHalves(i32x4.extend_low_i16x8_u(v)));
    v128.store(out, fourHalves(i32x4.extend_high_i16x8_u(v)), 16);
  }
  for (; out < end; out += 4, p += 2) store<f32>(out, halfAt(p));
}

// @ts-ignore: decorator
@inline
function fourHalves(bits: v128): v128 {
  const size = v128.and(bits, i32x4.splat(0x7fff));
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  const small = f32x4.mul(f32x4.convert_i32x4_s(size), splat(5.9604644775390625e-8));
  const beyond = v128.and(i32x4.gt_s(size, i32x4.splat(0x7bff)), i32x4.splat(0x38000000));
  const normal = i32x4.add(i32x4.add(i32x4.shl(size, 13), i32x4.splat(0x38000000)), beyond);
  return v128.or(v128.bitselect(small, normal, i32x4.lt_s(size, i32x4.splat(0x400))), sign);
}

/** Sixteen signed bytes as `byte * scale + shift`. */
// @ts-ignore: decorator
@inline
function sixteen(bytes: v128, scale: v128, shift: v128, out: usize): void {
  const low = i16x8.extend_low_i8x16_s(bytes);
  const high = i16x8.extend_high_i8x16_s(bytes);
  put(out, scaled(i32x4.extend_low_i16x8_s(low), scale, shift));
  v128.store(out, scaled(i32x4.extend_high_i16x8_s(low), scale, shift), 16);
  v128.store(out, scaled(i32x4.extend_low_i16x8_s(high), scale, shift), 32);
  v128.store(out, scaled(i32x4.extend_high_i16x8_s(high), scale, shift), 48);
}

// @ts-ignore: decorator
@inline
function scaled(numbers: v128, scale: v128, shift: v128): v128 {
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(numbers), scale), shift);
}

/** A scale, then 32 signed bytes. */
// @ts-ignore: decorator
@inline
function q8(p: usize, out: usize): void {
  const scale = splat(halfAt(p));
  sixteen(v128.load(p, 2), scale, splat(-0.0), out);
  sixteen(v128.load(p, 18), scale, splat(-0.0), out + 64);
}

/** Sixteen bytes whose low halves are the first 16 numbers, less `centre`, and whose high halves are the last 16. */
// @ts-ignore: decorator
@inline
function smallBlock(bytes: v128, scale: v128, shift: v128, centre: v128, out: usize): void {
  sixteen(i8x16.sub(v128.and(bytes, i8x16.splat(15)), centre), scale, shift, out);
  sixteen(i8x16.sub(i8x16.shr_u(bytes, 4), centre), scale, shift, out + 64);
}

/** The same behind four bytes with the fifth bits of the 32 numbers. */
// @ts-ignore: decorator
@inline
function smallBlockOfFive(p: usize, scale: v128, shift: v128, centre: v128, out: usize): void {
  const fifth = v128.load32_splat(p);
  const bytes = v128.load(p, 4);
  const low = i8x16.swizzle(fifth, i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  const high = i8x16.swizzle(fifth, i8x16(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3));
  const first = v128.or(v128.and(bytes, i8x16.splat(15)), fifthBits(low));
  const last = v128.or(i8x16.shr_u(bytes, 4), fifthBits(high));
  sixteen(i8x16.sub(first, centre), scale, shift, out);
  sixteen(i8x16.sub(last, centre), scale, shift, out + 64);
}

/** 16 where byte i has its bit `i % 8`. */
// @ts-ignore: decorator
@inline
function fifthBits(bytes: v128): v128 {
  const places = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(bytes, places), places), i8x16.splat(16));
}

/**
 * 256 numbers: scale, scale of the minima, eight 6-bit scales and minima, then at `low` runs of 32 bytes that hold 32
 * numbers in their low and 32 in their high halves; at `fifth`, where there are such, 32 bytes with a bit per group.
 */
function largeBlock(p: usize, low: usize, fifth: usize, out: usize): void {
  const scale = halfAt(p);
  const minimum = halfAt(p + 2);
  for (let group: u32 = 0; group < 8; group++) {
    const factor = splat(scale * <f32>groupScale(p + 4, group));
    const shift = splat(-(minimum * <f32>groupMinimum(p + 4, group)));
    const run = low + <usize>(group >> 1) * 32;
    for (let part: usize = 0; part < 32; part += 16) {
      const bytes = get(run + part);
      let numbers = (group & 1) == 1 ? i8x16.shr_u(bytes, 4) : v128.and(bytes, i8x16.splat(15));
      if (fifth != 0) {
        const bit = v128.and(i8x16.shr_u(get(fifth + part), group), i8x16.splat(1));
        numbers = v128.or(numbers, i8x16.shl(bit, 4));
      }
      sixteen(numbers, factor, shift, out + part * 4);
    }
    out += 128;
  }
}

/** The scale of a group of 32: groups 4-7 keep their top two bits beside those of groups 0-3. */
function groupScale(p: usize, group: u32): i32 {
  if (group < 4) return <i32>load<u8>(p + group) & 63;
  return (<i32>load<u8>(p + group + 4) & 15) | ((<i32>load<u8>(p + group - 4) >> 2) & 48);
}

function groupMinimum(p: usize, group: u32): i32 {
  if (group < 4) return <i32>load<u8>(p + group + 4) & 63;
  return (<i32>load<u8>(p + group + 4) >> 4) | ((<i32>load<u8>(p + group) >> 2) & 48);
}

/** 256 numbers: 128 bytes of low four bits, 64 bytes of high two bits, sixteen signed scales, scale. */
function q6(p: usize, out: usize): void {
  const scale = halfAt(p + 208);
  for (let half: usize = 0; half < 2; half++) {
    for (let quarter: u32 = 0; quarter < 4; quarter++) {
      for (let part: usize = 0; part < 2; part++) {
        const bytes = get(p + half * 64 + <usize>(quarter & 1) * 32 + part * 16);
        const low = quarter < 2 ? v128.and(bytes, i8x16.splat(15)) : i8x16.shr_u(bytes, 4);
        const pair = i8x16.shr_u(get(p + 128 + half * 32 + part * 16), 2 * quarter);
        const numbers = v128.or(low, i8x16.shl(v128.and(pair, i8x16.splat(3)), 4));
        const group = scale * <f32>load<i8>(p + 192 + half * 8 + <usize>quarter * 2 + part);
        sixteen(i8x16.sub(numbers, i8x16.splat(32)), splat(group), splat(-0.0), out);
        out += 64;
      }
    }
  }
}
