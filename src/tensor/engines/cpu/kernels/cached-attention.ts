// Attention of single new tokens over the keys and values of their texts, one (row, key head) at a time.
import { dot } from "./attention";
import { exponentials, maxOf, scale } from "./reduce";
import { get, loadPart, madd, put, splat, storePart } from "./simd";
import { softCapHere } from "./soft-cap";
import { rank } from "./thread";

/** Entries whose values are mixed at a time: those of all heads stay in the first-level cache. */
const ENTRIES: i32 = 16;

/**
 * `share` query heads to each of `keyHeads` key heads that lie side by side, over `length` entries `pitch` bytes apart,
 * from the first to the last, as memory likes it; `scores` has room for `length` floats per query head.
 */
function attendCache(
  q: usize,
  keys: usize,
  values: usize,
  pitch: usize,
  length: i32,
  keyHeads: i32,
  share: i32,
  d: i32,
  factor: f32,
  cap: f32,
  scores: usize,
  output: usize,
): void {
  const heads = keyHeads * share;
  const bytes = <usize>d * 4;
  const row = <usize>length * 4;
  touch(keys, pitch, length, <usize>keyHeads * bytes, scores);
  touch(values, pitch, length, <usize>keyHeads * bytes, scores);
  let j = 0;
  if (!(d & 3)) {
    for (; j + 4 <= length; j += 4) {
      for (let head = 0; head < heads; head++) {
        const at = keys + <usize>j * pitch + <usize>(head / share) * bytes;
        fourDots(q + <usize>head * bytes, at, pitch, d, scores + <usize>head * row + <usize>j * 4);
      }
    }
  }
  for (; j < length; j++) {
    for (let head = 0; head < heads; head++) {
      const at = keys + <usize>j * pitch + <usize>(head / share) * bytes;
      store<f32>(scores + <usize>head * row + <usize>j * 4, dot(q + <usize>head * bytes, at, d));
    }
  }
  for (let head = 0; head < heads; head++) {
    const p = scores + <usize>head * row;
    if (cap > 0) {
      scale(p, length, factor);
      softCapHere(p, length, cap);
    }
    const sum = exponentials(p, length, cap > 0 ? 1 : factor, maxOf(p, length));
    scale(p, length, <f32>(1 / sum));
  }
  memory.fill(output, 0, <usize>heads * bytes);
  for (j = 0; j < length; j += ENTRIES) {
    const count = min(ENTRIES, length - j);
    for (let head = 0; head < heads; head++) {
      const weights = scores + <usize>head * row + <usize>j * 4;
      const from = values + <usize>j * pitch + <usize>(head / share) * bytes;
      const out = output + <usize>head * bytes;
      let c = 0;
      for (; c + 32 <= d; c += 32) mixWide(weights, from + <usize>c * 4, pitch, out + <usize>c * 4, count);
      for (; c < d; c += 4) mix(weights, from + <usize>c * 4, pitch, out + <usize>c * 4, count, min(4, d - c));
    }
  }
}

/**
 * Reads one float of every cache line, so that memory is asked for all of them at once: fetched only where the sums that
 * follow need them, they take twice as long to come. The store keeps the loop from being left out.
 */
function touch(p: usize, pitch: usize, rows: i32, bytes: usize, scratch: usize): void {
  let a: f32 = 0;
  let b: f32 = 0;
  for (let i = 0; i < rows; i++) {
    for (let at: usize = 0; at < bytes; at += 128) {
      a += load<f32>(p + at);
      b += load<f32>(p + at + min<usize>(64, bytes - at - 4));
    }
    p += pitch;
  }
  store<f32>(scratch, a + b);
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

/** 32 columns of `out += sum over j of weights[j] * values[j]`. */
function mixWide(weights: usize, values: usize, pitch: usize, out: usize, n: i32): void {
  let s0 = get(out);
  let s1 = v128.load(out, 16);
  let s2 = v128.load(out, 32);
  let s3 = v128.load(out, 48);
  let s4 = v128.load(out, 64);
  let s5 = v128.load(out, 80);
  let s6 = v128.load(out, 96);
  let s7 = v128.load(out, 112);
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
  let sum = columns == 4 ? get(out) : loadPart(out, <usize>columns);
  for (let j = 0; j < n; j++) {
    const v = columns == 4 ? get(values) : loadPart(values, <usize>columns);
    sum = madd(v, v128.load_splat<f32>(weights + <usize>j * 4), sum);
    values += pitch;
  }
  if (columns == 4) put(out, sum);
  else storePart(out, sum, <usize>columns);
}

/**
 * Query `row` over the entries `firsts[row] .. lengths[row] - 1` of row `rows[row]` of the cache [capacity, keyHeads d].
 * Tasks `row * keyHeads + key head`; scratch holds `heads * capacity` floats per thread.
 */
export function cachedAttention(
  q: usize,
  keys: usize,
  values: usize,
  output: usize,
  rows: usize,
  firsts: usize,
  lengths: usize,
  capacity: i32,
  heads: i32,
  keyHeads: i32,
  d: i32,
  factor: f32,
  cap: f32,
  scratch: usize,
  from: i32,
  to: i32,
): void {
  const pitch = <usize>keyHeads * d * 4;
  const share = heads / keyHeads;
  const scores = scratch + <usize>rank * heads * capacity * 4;
  for (let task = from; task < to; ) {
    const row = task / keyHeads;
    const keyHead = task % keyHeads;
    const together = min(keyHeads - keyHead, to - task);
    const first = load<i32>(firsts + <usize>row * 4);
    const length = load<i32>(lengths + <usize>row * 4) - first;
    const entry = <usize>load<i32>(rows + <usize>row * 4) * capacity + first;
    const at = entry * pitch + <usize>keyHead * d * 4;
    const place = (<usize>row * heads + keyHead * share) * d * 4;
    const out = output + place;
    attendCache(q + place, keys + at, values + at, pitch, length, together, share, d, factor, cap, scores, out);
    task += together;
  }
}

/**
 * Tasks `row * keyHeads + key head`, each over `lengths[task]` entries [d] of the cache from `firsts[task]` on; scratch
 * holds `heads / keyHeads * longest` floats per thread.
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
  factor: f32,
  cap: f32,
  scratch: usize,
  from: i32,
  to: i32,
): void {
  const pitch = <usize>d * 4;
  const share = heads / keyHeads;
  const scores = scratch + <usize>rank * share * longest * 4;
  for (let task = from; task < to; task++) {
    const length = load<i32>(lengths + <usize>task * 4);
    const at = <usize>load<i32>(firsts + <usize>task * 4) * pitch;
    const place = <usize>task * share * d * 4;
    const out = output + place;
    attendCache(q + place, keys + at, values + at, pitch, length, 1, share, d, factor, cap, scores, out);
  }
}
