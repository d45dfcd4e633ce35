// The product without a library: B is packed block by block, A strip by strip, and C computed tile by tile.
import { get, loadPart, madd, put, splat, storePart, sumLanes, transposeFour } from "./simd";

/** Depth and width of the packed block of B: 256 x 512 floats stay in the second-level cache. */
const DEPTH: i32 = 256;
const WIDTH: i32 = 512;

let packedB: usize = 0;
let packedA: usize = 0;

/** Hands this thread its packing space: `(WIDTH + 4) * DEPTH` floats. */
export function setProductScratch(p: usize): void {
  packedB = p;
  packedA = p + <usize>(WIDTH * DEPTH * 4);
}

export function productScratchBytes(): i32 {
  return (WIDTH + 4) * DEPTH * 4;
}

/** The product without a library: op(A) is [M, K], op(B) [K, N]. */
export function multiply(
  transA: i32,
  transB: i32,
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  b: usize,
  beta: f32,
  c: usize,
): void {
  if (K == 0 && beta == 0) memory.fill(c, 0, <usize>M * N * 4);
  if (transB && !transA && M < 4) return dots(M, N, K, a, b, beta, c);
  for (let n0 = 0; n0 < N; n0 += WIDTH) {
    const width = min(WIDTH, N - n0);
    for (let k0 = 0; k0 < K; k0 += DEPTH) {
      const depth = min(DEPTH, K - k0);
      if (transB) packTransposed(b, K, n0, width, k0, depth);
      else packRows(b, N, n0, width, k0, depth);
      const kept: f32 = k0 == 0 ? beta : 1;
      for (let m0 = 0; m0 < M; m0 += 4) {
        const height = min(4, M - m0);
        if (transA) packStripTransposed(a, M, m0, height, k0, depth);
        else packStrip(a, K, m0, height, k0, depth);
        for (let j = 0; j < width; j += 8) {
          const out = c + (<usize>m0 * N + n0 + j) * 4;
          tile(packedB + <usize>j * depth * 4, depth, kept, out, N, height, min(8, width - j));
        }
      }
    }
  }
}

/** A few rows against the rows of a transposed B, as in decoding: dot products, without packing B. */
function dots(M: i32, N: i32, K: i32, a: usize, b: usize, beta: f32, c: usize): void {
  const whole = <usize>(K & ~3) * 4;
  const rest = <usize>(K & 3);
  for (let j = 0; j < N; j++) {
    const q = b + <usize>j * K * 4;
    for (let i = 0; i < M; i++) {
      const p = a + <usize>i * K * 4;
      let even = splat(0);
      let odd = splat(0);
      let k: usize = 0;
      for (; k + 32 <= whole; k += 32) {
        even = madd(get(p + k), get(q + k), even);
        odd = madd(v128.load(p + k, 16), v128.load(q + k, 16), odd);
      }
      if (k < whole) even = madd(get(p + k), get(q + k), even);
      if (rest) odd = madd(loadPart(p + whole, rest), loadPart(q + whole, rest), odd);
      const value = sumLanes(f32x4.add(even, odd));
      const out = c + (<usize>i * N + j) * 4;
      store<f32>(out, beta == 0 ? value : value + load<f32>(out));
    }
  }
}

/** B's block as panels of 8 columns, each [depth, 8], padded with zeros. B is [K, N]. */
function packRows(b: usize, N: i32, n0: i32, width: i32, k0: i32, depth: i32): void {
  for (let j = 0; j < width; j += 8) {
    let q = packedB + <usize>j * depth * 4;
    let p = b + (<usize>k0 * N + n0 + j) * 4;
    const columns = min(8, width - j);
    for (let k = 0; k < depth; k++) {
      if (columns == 8) {
        put(q, get(p));
        v128.store(q, v128.load(p, 16), 16);
      } else {
        for (let x = 0; x < 8; x++) {
          const value: f32 = x < columns ? load<f32>(p + <usize>x * 4) : 0;
          store<f32>(q + <usize>x * 4, value);
        }
      }
      q += 32;
      p += <usize>N * 4;
    }
  }
}

/** The same panels where B is [N, K]: four rows at a time are transposed in registers. */
function packTransposed(b: usize, K: i32, n0: i32, width: i32, k0: i32, depth: i32): void {
  const stride = <usize>K * 4;
  for (let j = 0; j < width; j += 4) {
    const q = packedB + <usize>(j & ~7) * depth * 4 + <usize>(j & 4) * 4;
    const p = b + <usize>(n0 + j) * stride + <usize>k0 * 4;
    const columns = min(4, width - j);
    let k = 0;
    if (columns == 4) {
      for (; k + 4 <= depth; k += 4) {
        const s = p + <usize>k * 4;
        transposeFour(get(s), get(s + stride), get(s + 2 * stride), get(s + 3 * stride), q + <usize>k * 32, 32);
      }
    }
    for (; k < depth; k++) {
      for (let x = 0; x < 4; x++) {
        const value: f32 = x < columns ? load<f32>(p + <usize>x * stride + <usize>k * 4) : 0;
        store<f32>(q + <usize>k * 32 + <usize>x * 4, value);
      }
    }
  }
  const last = width & 7;
  if (last > 0 && last <= 4) {
    const q = packedB + <usize>(width & ~7) * depth * 4 + 16;
    for (let k = 0; k < depth; k++) put(q + <usize>k * 32, splat(0));
  }
}

/** Four rows of A as [depth, 4], padded with zeros. A is [M, K]. */
function packStrip(a: usize, K: i32, m0: i32, height: i32, k0: i32, depth: i32): void {
  const stride = <usize>K * 4;
  const p = a + <usize>m0 * stride + <usize>k0 * 4;
  let k = 0;
  if (height == 4) {
    for (; k + 4 <= depth; k += 4) {
      const s = p + <usize>k * 4;
      transposeFour(get(s), get(s + stride), get(s + 2 * stride), get(s + 3 * stride), packedA + <usize>k * 16, 16);
    }
  }
  for (; k < depth; k++) {
    for (let x = 0; x < 4; x++) {
      const value: f32 = x < height ? load<f32>(p + <usize>x * stride + <usize>k * 4) : 0;
      store<f32>(packedA + <usize>k * 16 + <usize>x * 4, value);
    }
  }
}

/** The same strip where A is [K, M]. */
function packStripTransposed(a: usize, M: i32, m0: i32, height: i32, k0: i32, depth: i32): void {
  for (let k = 0; k < depth; k++) {
    const p = a + (<usize>(k0 + k) * M + m0) * 4;
    put(packedA + <usize>k * 16, height == 4 ? get(p) : loadPart(p, height));
  }
}

/** One 4 x 8 tile of C from the packed strip and a packed panel. */
function tile(panel: usize, depth: i32, beta: f32, c: usize, N: i32, height: i32, width: i32): void {
  let c00 = splat(0);
  let c01 = splat(0);
  let c10 = splat(0);
  let c11 = splat(0);
  let c20 = splat(0);
  let c21 = splat(0);
  let c30 = splat(0);
  let c31 = splat(0);
  let p = packedA;
  for (const end = p + <usize>depth * 16; p < end; p += 16) {
    const b0 = get(panel);
    const b1 = v128.load(panel, 16);
    const a0 = v128.load_splat<f32>(p);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load_splat<f32>(p, 4);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load_splat<f32>(p, 8);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load_splat<f32>(p, 12);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    panel += 32;
  }
  const stride = <usize>N * 4;
  putRow(c00, c01, beta, c, width);
  if (height > 1) putRow(c10, c11, beta, c + stride, width);
  if (height > 2) putRow(c20, c21, beta, c + 2 * stride, width);
  if (height > 3) putRow(c30, c31, beta, c + 3 * stride, width);
}

function putRow(low: v128, high: v128, beta: f32, c: usize, width: i32): void {
  putPart(low, beta, c, min(4, width));
  if (width > 4) putPart(high, beta, c + 16, width - 4);
}

// @ts-ignore: decorator
@inline
function putPart(v: v128, beta: f32, c: usize, width: i32): void {
  if (width == 4) put(c, beta == 0 ? v : f32x4.add(get(c), v));
  else storePart(c, beta == 0 ? v : f32x4.add(loadPart(c, width), v), width);
}
