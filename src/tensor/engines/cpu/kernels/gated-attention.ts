// Attention whose weights are multiplied by gates and renormalised, one (row, head) at a time as in attention.ts.
import { BLOCK, dot, firstSeen, pack, packScaled, scoreGradient, unpack } from "./attention";
import { product } from "./product";
import { exponentials, maxOf, scale, sumOf } from "./reduce";
import { exp, get, log1, madd, put, splat } from "./simd";
import { multiply, softCapHere, softCapSlopes } from "./soft-cap";
import { rank } from "./thread";

/** Larger exponents are cut off: of evicted keys that score far above all that were kept. */
const LARGEST_EXPONENT: f32 = 60;
/** Score of a key that is gone; its weight is exactly 0. */
const GONE: f32 = -1e30;

/** Scratch one thread needs for rows of up to `T` tokens and heads of `d`, in floats; a few more than T for whole vectors. */
export function gatedScratch(T: i32, d: i32, capped: i32): i32 {
  return 4 * T * d + 3 * BLOCK * d + (2 + capped) * BLOCK * T + BLOCK + 2 * (T + 8);
}

/** The gates of one key head as the row's keys have them: 1 on tokens that are not evictable. */
function gatesOf(gates: usize, evictable: usize, first: i32, T: i32, keyHeads: i32, keyHead: i32, out: usize): void {
  for (let j = 0; j < T; j++) {
    const token = <usize>(first + j);
    const open = load<i32>(evictable + token * 4);
    store<f32>(out + <usize>j * 4, open ? load<f32>(gates + (token * keyHeads + keyHead) * 4) : 1);
  }
}

/**
 * Tasks `row * heads + head`. q [N, heads d], k and v [N, keyHeads d], gates [N, keyHeads], evictable [N] and reach [rows]
 * as whole numbers -> output [N, heads d], logSumExp [N, heads] of score + log gate; factor, cap and window as there.
 */
export function gatedAttention(
  q: usize,
  k: usize,
  v: usize,
  gates: usize,
  output: usize,
  logSumExp: usize,
  evictable: usize,
  reach: usize,
  starts: usize,
  heads: i32,
  keyHeads: i32,
  d: i32,
  factor: f32,
  cap: f32,
  window: i32,
  scratch: usize,
  scratchFloats: i32,
  from: i32,
  to: i32,
): void {
  const width = heads * d;
  const keyWidth = keyHeads * d;
  for (let task = from; task < to; task++) {
    const row = task / heads;
    const head = task % heads;
    const keyHead = head / (heads / keyHeads);
    const first = load<i32>(starts + <usize>row * 4);
    const T = load<i32>(starts + <usize>row * 4 + 4) - first;
    const behind = load<i32>(reach + <usize>row * 4);
    const keysAt = (<usize>first * keyWidth + keyHead * d) * 4;
    const K = scratch + <usize>rank * scratchFloats * 4;
    const V = K + <usize>T * d * 4;
    const Q = V + <usize>T * d * 4;
    const O = Q + <usize>BLOCK * d * 4;
    const S = O + <usize>BLOCK * d * 4;
    const inverses = S + <usize>BLOCK * T * 4;
    const G = inverses + <usize>BLOCK * 4;
    pack(k + keysAt, keyWidth, d, T, K);
    pack(v + keysAt, keyWidth, d, T, V);
    gatesOf(gates, evictable, first, T, keyHeads, keyHead, G);
    for (let q0 = 0; q0 < T; q0 += BLOCK) {
      const queries = min(BLOCK, T - q0);
      const low = firstSeen(q0, window);
      const keys = q0 + queries - low;
      const skip = <usize>low * d * 4;
      const at = (<usize>(first + q0) * width + head * d) * 4;
      packScaled(q + at, width, d, queries, factor, Q);
      product(0, 1, queries, keys, d, Q, K + skip, 0, S);
      if (cap > 0) softCapHere(S, queries * keys, cap);
      for (let i = 0; i < queries; i++) {
        const begin = firstSeen(q0 + i, window);
        const unseen = begin - low;
        const row = S + <usize>i * keys * 4;
        const p = row + <usize>unseen * 4;
        const own = G + <usize>begin * 4;
        const seen = q0 + i + 1 - begin;
        const gated = max(0, seen - behind);
        for (let j = 0; j < gated; j++)
          if (load<f32>(own + <usize>j * 4) <= 0) store<f32>(p + <usize>j * 4, GONE);
        const largest = maxOf(p, seen);
        exponentials(p, seen, 1, largest);
        multiply(p, own, gated);
        const sum = sumOf(p, seen);
        store<f32>(inverses + <usize>i * 4, <f32>(1 / sum));
        memory.fill(row, 0, <usize>unseen * 4);
        memory.fill(p + <usize>seen * 4, 0, <usize>(keys - unseen - seen) * 4);
        const token = <usize>(first + q0 + i);
        store<f32>(logSumExp + (token * heads + head) * 4, largest + log1(<f32>sum));
      }
      product(0, 0, queries, d, keys, S, V + skip, 0, O);
      for (let i = 0; i < queries; i++) scale(O + <usize>i * d * 4, d, load<f32>(inverses + <usize>i * 4));
      unpack(O, d, queries, output + at, width);
    }
  }
}

/** `p <- e^(p - logSumExp)` for `seen` floats, the weights before the gates. */
function ungated(p: usize, seen: i32, logSumExp: f32): void {
  const shift = splat(logSumExp);
  const top = splat(LARGEST_EXPONENT);
  for (let j = 0; j < seen; j += 4) {
    const at = p + <usize>j * 4;
    if (j + 4 <= seen) put(at, exp(f32x4.min(f32x4.sub(get(at), shift), top)));
    else
      for (let n = j; n < seen; n++) {
        const one = p + <usize>n * 4;
        const x = min<f32>(load<f32>(one) - logSumExp, LARGEST_EXPONENT);
        store<f32>(one, f32x4.extract_lane(exp(splat(x)), 0));
      }
  }
}

/**
 * `out += A (dP - delta)` for `n` floats: what a query's weights say of the gates G. A key that is gone, G at most 0,
 * counts with the weight that it would have if it came back, A / (1 + A).
 */
function addGateGradient(A: usize, dP: usize, G: usize, out: usize, n: i32, delta: f32): void {
  const whole = <usize>(n & ~3) * 4;
  const shift = splat(delta);
  const one = splat(1);
  for (let j: usize = 0; j < whole; j += 16) {
    const weight = get(A + j);
    const back = f32x4.div(weight, f32x4.add(one, weight));
    const slope = v128.bitselect(back, weight, f32x4.le(get(G + j), splat(0)));
    put(out + j, madd(slope, f32x4.sub(get(dP + j), shift), get(out + j)));
  }
  for (let j: usize = whole; j < <usize>n * 4; j += 4) {
    const weight = load<f32>(A + j);
    const slope = load<f32>(G + j) <= 0 ? weight / (1 + weight) : weight;
    store<f32>(out + j, load<f32>(out + j) + slope * (load<f32>(dP + j) - delta));
  }
}

/** Tasks `row * keyHeads + key head`, in the order of `attentionGradient`; also writes dgates [N, keyHeads]. */
export function gatedAttentionGradient(
  q: usize,
  k: usize,
  v: usize,
  gates: usize,
  output: usize,
  logSumExp: usize,
  dy: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  dgates: usize,
  evictable: usize,
  reach: usize,
  starts: usize,
  heads: i32,
  keyHeads: i32,
  d: i32,
  factor: f32,
  cap: f32,
  window: i32,
  scratch: usize,
  scratchFloats: i32,
  from: i32,
  to: i32,
): void {
  const width = heads * d;
  const keyWidth = keyHeads * d;
  const share = heads / keyHeads;
  for (let task = from; task < to; task++) {
    const row = task / keyHeads;
    const keyHead = task % keyHeads;
    const first = load<i32>(starts + <usize>row * 4);
    const T = load<i32>(starts + <usize>row * 4 + 4) - first;
    if (T == 0) continue;
    const behind = load<i32>(reach + <usize>row * 4);
    const keysAt = (<usize>first * keyWidth + keyHead * d) * 4;
    const side = <usize>T * d * 4;
    const K = scratch + <usize>rank * scratchFloats * 4;
    const V = K + side;
    const dK = V + side;
    const dV = dK + side;
    const Q = dV + side;
    const dO = Q + <usize>BLOCK * d * 4;
    const dQ = dO + <usize>BLOCK * d * 4;
    const P = dQ + <usize>BLOCK * d * 4;
    const dP = P + <usize>BLOCK * T * 4;
    const G = dP + <usize>BLOCK * T * 4;
    const dG = G + <usize>T * 4;
    const slopes = dG + <usize>T * 4;
    pack(k + keysAt, keyWidth, d, T, K);
    pack(v + keysAt, keyWidth, d, T, V);
    gatesOf(gates, evictable, first, T, keyHeads, keyHead, G);
    memory.fill(dG, 0, <usize>T * 4);
    let kept: f32 = 0;
    if (window < T) {
      memory.fill(dK, 0, 2 * side);
      kept = 1;
    }
    for (let head = keyHead * share; head < (keyHead + 1) * share; head++) {
      for (let q0 = ((T - 1) / BLOCK) * BLOCK; q0 >= 0; q0 -= BLOCK) {
        const queries = min(BLOCK, T - q0);
        const low = firstSeen(q0, window);
        const keys = q0 + queries - low;
        const skip = <usize>low * d * 4;
        const at = (<usize>(first + q0) * width + head * d) * 4;
        packScaled(q + at, width, d, queries, factor, Q);
        pack(dy + at, width, d, queries, dO);
        product(0, 1, queries, keys, d, Q, K + skip, 0, P);
        product(0, 1, queries, keys, d, dO, V + skip, 0, dP);
        if (cap > 0) {
          softCapHere(P, queries * keys, cap);
          softCapSlopes(P, slopes, queries * keys, cap);
        }
        for (let i = 0; i < queries; i++) {
          const begin = firstSeen(q0 + i, window);
          const unseen = begin - low;
          const seen = q0 + i + 1 - begin;
          const gated = max(0, seen - behind);
          const row = <usize>i * keys * 4;
          const place = row + <usize>unseen * 4;
          memory.fill(P + row, 0, <usize>unseen * 4);
          memory.fill(P + place + <usize>seen * 4, 0, <usize>(keys - unseen - seen) * 4);
          ungated(P + place, seen, load<f32>(logSumExp + (<usize>(first + q0 + i) * heads + head) * 4));
          const delta = dot(dO + <usize>i * d * 4, output + at + <usize>i * width * 4, d);
          addGateGradient(P + place, dP + place, G + <usize>begin * 4, dG + <usize>begin * 4, gated, delta);
          multiply(P + place, G + <usize>begin * 4, gated);
          scoreGradient(P + row, dP + row, keys, delta);
        }
        if (cap > 0) multiply(dP, slopes, queries * keys);
        product(1, 0, keys, d, queries, P, dO, kept, dV + skip);
        product(0, 0, queries, d, keys, dP, K + skip, 0, dQ);
        scale(dQ, queries * d, factor);
        product(1, 0, keys, d, queries, dP, Q, kept, dK + skip);
        unpack(dQ, d, queries, dq + at, width);
        kept = 1;
      }
    }
    unpack(dK, d, T, dk + keysAt, keyWidth);
    unpack(dV, d, T, dv + keysAt, keyWidth);
    for (let j = 0; j < T; j++) {
      const token = <usize>(first + j);
      const open = load<i32>(evictable + token * 4);
      store<f32>(dgates + (token * keyHeads + keyHead) * 4, open ? load<f32>(dG + <usize>j * 4) : 0);
    }
  }
}
