// Attention of single new tokens over the keys and values of their texts, one (row, key head) at a time.
import { dot } from "./attention";
import { exponentials, maxOf, scale } from "./reduce";
import { get, loadPart, madd, put, splat, storePart } from "./simd";
import { rank } from "./thread";

/** One query head over `length` entries, `pitch` bytes apart; `scores` has room for as many. */
function attendCache(
  q: usize,
  keys: usize,
  values: usize,
  pitch: usize,
  length: i32,
  d: i32,
  factor: f32,
  scores: usize,
  output: usize,
): void {
  let j = 0;
  if (!(d & 3)) for (; j + 4 <= length; j += 4) fourDots(q, keys + <usize>j * pitch, pitch, d, scores + <usize>j * 4);
  for (; j < length; j++) store<f32>(scores + <usize>j * 4, dot(q, keys + <usize>j * pitch, d));
  const sum = exponentials(scores, length, factor, maxOf(scores, length));
  scale(scores, length, <f32>(1 / sum));
  let c = 0;
  for (; c + 32 <= d; c += 32) mixWide(scores, values + <usize>c * 4, pitch, output + <usize>c * 4, length);
  for (; c < d; c += 4) mix(scores, values + <usize>c * 4, pitch, output + <usize>c * 4, length, min(4, d - c));
}

/** `dot` of q with four keys, the same bits; d is a multiple of 4. */
// @ts-ignore: decorator
@inline
function fourDots(q: usize, keys: usize, pitch: usize, d: i32, out: usize): void {
  let k0 = keys;
  let k1 = k0 + pitch;
  let k2 = k1 + pitch;
  let k3 = k2 + pitch;
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  for (const end = q + <usize>d * 4; q < end; q += 16) {
    const x = get(q);
    s0 = madd(x, get(k0), s0);
    s1 = madd(x, get(k1), s1);
    s2 = madd(x, get(k2), s2);
    s3 = madd(x, get(k3), s3);
    k0 += 16;
    k1 += 16;
    k2 += 16;
    k3 += 16;
  }
  const a = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5);
  const c = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
  const e = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
  const low = f32x4.add(v128.shuffle<f32>(a, b, 0, 1, 4, 5), v128.shuffle<f32>(a, b, 2, 3, 6, 7));
  put(out, f32x4.add(low, f32x4.add(v128.shuffle<f32>(c, e, 0, 1, 4, 5), v128.shuffle<f32>(c, e, 2, 3, 6, 7))));
}

/** 32 columns of `out = sum over j of weights[j] * values[j]`. */
function mixWide(weights: usize, values: usize, pitch: usize, out: usize, n: i32): void {
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  let s4 = splat(0);
  let s5 = splat(0);
  let s6 = splat(0);
  let s7 = splat(0);
  for (let j = 0; j < n; j++) {
    const w = v128.load_splat<f32>(weights);
    s0 = madd(get(values), w, s0);
    s1 = madd(v128.load(values, 16), w, s1);
    s2 = madd(v128.load(values, 32), w, s2);
    s3 = madd(v128.load(values, 48), w, s3);
    s4 = madd(v128.load(values, 64), w, s4);
    s5 = madd(v128.load(values, 80), w, s5);
    s6 = madd(v128.load(values, 96), w, s6);
    s7 = madd(v128.load(values, 112), w, s7);
    weights += 4;
    values += pitch;
  }
  put(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
  v128.store(out, s4, 64);
  v128.store(out, s5, 80);
  v128.store(out, s6, 96);
  v128.store(out, s7, 112);
}

/** Up to four columns of it, the same bits. */
function mix(weights: usize, values: usize, pitch: usize, out: usize, n: i32, columns: i32): void {
  let sum = splat(0);
  for (let j = 0; j < n; j++) {
    const v = columns == 4 ? get(values) : loadPart(values, <usize>columns);
    sum = madd(v, v128.load_splat<f32>(weights + <usize>j * 4), sum);
    values += pitch;
  }
  if (columns == 4) put(out, sum);
  else storePart(out, sum, <usize>columns);
}

/**
 * Query `row` over the first `lengths[row]` entries of row `rows[row]` of the cache [capacity, keyHeads d].
 * Tasks `row * keyHeads + key head`; scratch holds `capacity` floats per thread.
 */
export function cachedAttention(
  q: usize,
  keys: usize,
  values: usize,
  output: usize,
  rows: usize,
  lengths: usize,
  capacity: i32,
  heads: i32,
  keyHeads: i32,
  d: i32,
  scratch: usize,
  from: i32,
  to: i32,
): void {
  const factor: f32 = 1 / sqrt<f32>(<f32>d);
  const pitch = <usize>keyHeads * d * 4;
  const share = heads / keyHeads;
  const scores = scratch + <usize>rank * capacity * 4;
  for (let task = from; task < to; task++) {
    const row = task / keyHeads;
    const keyHead = task % keyHeads;
    const length = load<i32>(lengths + <usize>row * 4);
    const at = <usize>load<i32>(rows + <usize>row * 4) * capacity * pitch + <usize>keyHead * d * 4;
    for (let head = keyHead * share; head < (keyHead + 1) * share; head++) {
      const place = (<usize>row * heads + head) * d * 4;
      attendCache(q + place, keys + at, values + at, pitch, length, d, factor, scores, output + place);
    }
  }
}

/**
 * Tasks `row * keyHeads + key head`, each over `lengths[task]` entries [d] of the cache from `firsts[task]` on; scratch
 * holds `longest` floats per thread.
 */
export function raggedAttention(
  q: usize,
  keys: usize,
  values: usize,
  output: usize,
  firsts: usize,
  lengths: usize,
  longest: i32,
  heads: i32,
  keyHeads: i32,
  d: i32,
  scratch: usize,
  from: i32,
  to: i32,
): void {
  const factor: f32 = 1 / sqrt<f32>(<f32>d);
  const pitch = <usize>d * 4;
  const share = heads / keyHeads;
  const scores = scratch + <usize>rank * longest * 4;
  for (let task = from; task < to; task++) {
    const length = load<i32>(lengths + <usize>task * 4);
    const at = <usize>load<i32>(firsts + <usize>task * 4) * pitch;
    for (let n = 0; n < share; n++) {
      const place = (<usize>task * share + n) * d * 4;
      attendCache(q + place, keys + at, values + at, pitch, length, d, factor, scores, output + place);
    }
  }
}
