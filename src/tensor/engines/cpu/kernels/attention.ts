// Causal attention on packed rows, one (row, head) at a time: query blocks against the keys up to the block's end, so
// that masked blocks are never computed and no more than one block of scores exists per thread. A query sees its own key
// and the `window - 1` before it; a block begins with the first key that its first query sees.
import { weights, weightsAgain } from "./attention-weights";
import { product } from "./product";
import { scale } from "./reduce";
import { multiply, softCapHere, softCapSlopes } from "./soft-cap";
import { get, loadPart, madd, put, splat, storePart, sumLanes } from "./simd";
import { rank } from "./thread";

/** Queries in a block. */
export const BLOCK: i32 = 128;

/** Scratch one thread needs for rows of up to `T` tokens and heads of `d`, in floats; more where scores are `capped`. */
export function attentionScratch(T: i32, d: i32, capped: i32): i32 {
  return 4 * T * d + 3 * BLOCK * d + (2 + capped) * BLOCK * T + BLOCK;
}

/** The first key that query `query` of a row sees. */
// @ts-ignore: decorator
@inline
export function firstSeen(query: i32, window: i32): i32 {
  return max(0, query + 1 - window);
}

/** `count` rows of `d` floats out of a matrix with rows of `width` floats. */
export function pack(x: usize, width: i32, d: i32, count: i32, out: usize): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < count; i++) memory.copy(out + <usize>i * bytes, x + <usize>i * width * 4, bytes);
}

/** `pack`, and multiplies by `factor`. */
export function packScaled(x: usize, width: i32, d: i32, count: i32, factor: f32, out: usize): void {
  pack(x, width, d, count, out);
  scale(out, count * d, factor);
}

export function unpack(x: usize, d: i32, count: i32, out: usize, width: i32): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < count; i++) memory.copy(out + <usize>i * width * 4, x + <usize>i * bytes, bytes);
}

export function dot(p: usize, q: usize, n: i32): f32 {
  const whole = <usize>(n & ~3) * 4;
  const rest = <usize>(n & 3);
  let sum = splat(0);
  for (let j: usize = 0; j < whole; j += 16) sum = madd(get(p + j), get(q + j), sum);
  if (rest) sum = madd(loadPart(p + whole, rest), loadPart(q + whole, rest), sum);
  return sumLanes(sum);
}

/**
 * Tasks `row * heads + head`. q [N, heads d], k and v [N, keyHeads d] -> output [N, heads d], logSumExp [N, heads];
 * where `promptKeys` (floats 0 and 1, [N]) is not 0 also mass [heads, N], the weight on prompt keys. Products of queries
 * and keys are multiplied by `factor` and, unless it is 0, capped by `cap`.
 */
export function attention(
  q: usize,
  k: usize,
  v: usize,
  output: usize,
  logSumExp: usize,
  promptKeys: usize,
  mass: usize,
  starts: usize,
  N: i32,
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
    const first = load<i32>(starts + <usize>row * 4);
    const T = load<i32>(starts + <usize>row * 4 + 4) - first;
    const keysAt = (<usize>first * keyWidth + (head / (heads / keyHeads)) * d) * 4;
    const K = scratch + <usize>rank * scratchFloats * 4;
    const V = K + <usize>T * d * 4;
    const Q = V + <usize>T * d * 4;
    const O = Q + <usize>BLOCK * d * 4;
    const S = O + <usize>BLOCK * d * 4;
    const inverses = S + <usize>BLOCK * T * 4;
    pack(k + keysAt, keyWidth, d, T, K);
    pack(v + keysAt, keyWidth, d, T, V);
    for (let q0 = 0; q0 < T; q0 += BLOCK) {
      const queries = min(BLOCK, T - q0);
      const low = firstSeen(q0, window);
      const keys = q0 + queries - low;
      const side = <usize>low * d * 4;
      const at = (<usize>(first + q0) * width + head * d) * 4;
      packScaled(q + at, width, d, queries, factor, Q);
      product(0, 1, queries, keys, d, Q, K + side, 0, S);
      if (cap > 0) softCapHere(S, queries * keys, cap);
      const statistics = logSumExp + (<usize>(first + q0) * heads + head) * 4;
      weights(S, queries, keys, window, inverses, statistics, <usize>heads * 4);
      if (promptKeys) {
        for (let i = 0; i < queries; i++) {
          const prompt = dot(S + <usize>i * keys * 4, promptKeys + <usize>(first + low) * 4, keys);
          const place = mass + (<usize>head * N + first + q0 + i) * 4;
          store<f32>(place, prompt * load<f32>(inverses + <usize>i * 4));
        }
      }
      product(0, 0, queries, d, keys, S, V + side, 0, O);
      for (let i = 0; i < queries; i++) scale(O + <usize>i * d * 4, d, load<f32>(inverses + <usize>i * 4));
      unpack(O, d, queries, output + at, width);
    }
  }
}

/** `dP <- P (dP - delta)`. */
export function scoreGradient(P: usize, dP: usize, n: i32, delta: f32): void {
  const whole = <usize>(n & ~3) * 4;
  const rest = <usize>(n & 3);
  const shift = splat(delta);
  for (let j: usize = 0; j < whole; j += 16) put(dP + j, f32x4.mul(get(P + j), f32x4.sub(get(dP + j), shift)));
  if (rest) {
    const difference = f32x4.sub(loadPart(dP + whole, rest), shift);
    storePart(dP + whole, f32x4.mul(loadPart(P + whole, rest), difference), rest);
  }
}

/**
 * Tasks `row * keyHeads + key head`, each with all query heads that read the key head, so that dk and dv have one
 * writer. The last query block goes first: unless there is a window it sees every key, writes all of dk and dv, and the
 * others add to it.
 */
export function attentionGradient(
  q: usize,
  k: usize,
  v: usize,
  output: usize,
  logSumExp: usize,
  dy: usize,
  dq: usize,
  dk: usize,
  dv: usize,
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
    const slopes = dP + <usize>BLOCK * T * 4;
    pack(k + keysAt, keyWidth, d, T, K);
    pack(v + keysAt, keyWidth, d, T, V);
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
        if (cap > 0) {
          softCapHere(P, queries * keys, cap);
          softCapSlopes(P, slopes, queries * keys, cap);
        }
        const statistics = logSumExp + (<usize>(first + q0) * heads + head) * 4;
        weightsAgain(P, queries, keys, window, statistics, <usize>heads * 4);
        product(1, 0, keys, d, queries, P, dO, kept, dV + skip);
        product(0, 1, queries, keys, d, dO, V + skip, 0, dP);
        for (let i = 0; i < queries; i++) {
          const delta = dot(dO + <usize>i * d * 4, output + at + <usize>i * width * 4, d);
          scoreGradient(P + <usize>i * keys * 4, dP + <usize>i * keys * 4, keys, delta);
        }
        if (cap > 0) multiply(dP, slopes, queries * keys);
        product(0, 0, queries, d, keys, dP, K + skip, 0, dQ);
        scale(dQ, queries * d, factor);
        product(1, 0, keys, d, queries, dP, Q, kept, dK + skip);
        unpack(dQ, d, queries, dq + at, width);
        kept = 1;
      }
    }
    unpack(dK, d, T, dk + keysAt, keyWidth);
    unpack(dV, d, T, dv + keysAt, keyWidth);
  }
}

/** `out[i] = mean over heads of mass[h, i]`, in the order of the heads. */
export function meanOverHeads(mass: usize, out: usize, N: i32, heads: i32, from: i32, to: i32): void {
  for (let i = from; i < to; i++) {
    let sum: f32 = 0;
    for (let h = 0; h < heads; h++) sum += load<f32>(mass + (<usize>h * N + i) * 4);
    store<f32>(out + <usize>i * 4, sum / <f32>heads);
  }
}
