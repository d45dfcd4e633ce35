// Matrix products C = op(A) op(B) + beta C, row-major and dense; beta is 0 or 1, and C is not read where it is 0.
import { isProductByLibrary, offsetOf, productAt, productByLibrary } from "./library";
import { multiply } from "./packed-product";
import { get, loadPart, madd, splat, sumLanes, transposeFour } from "./simd";
import { rank } from "./thread";

/** C = op(A) op(B) + beta C on the calling thread, by the library or, where it is small or there is none, here. */
export function product(
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
  if (isProductByLibrary(M, N, K)) productByLibrary(transA, transB, M, N, K, a, b, beta, c);
  else multiply(transA, transB, M, N, K, a, b, beta, c);
}

/**
 * Products from a table of doubles, one after the other; a range counts its tasks. A task takes `stride` doubles: how
 * many products are added up, M, N, C, and for each product transB, K, A, B and beta. A is not transposed. Matrices are
 * named by their addresses; those of products that are not the library's lie in this memory.
 */
export function productTasks(table: usize, stride: i32, from: i32, to: i32): void {
  for (let task = from; task < to; task++) {
    let p = table + <usize>task * stride * 8;
    const M = <i32>load<f64>(p, 8);
    const N = <i32>load<f64>(p, 16);
    const c = load<f64>(p, 24);
    const end = p + 32 + <usize>load<f64>(p) * 40;
    for (p += 32; p < end; p += 40) {
      const transB = <i32>load<f64>(p);
      const K = <i32>load<f64>(p, 8);
      const a = load<f64>(p, 16);
      const b = load<f64>(p, 24);
      const beta = <f32>load<f64>(p, 32);
      if (isProductByLibrary(M, N, K)) productAt(0, transB, M, N, K, a, b, beta, c);
      else multiply(0, transB, M, N, K, offsetOf(a), offsetOf(b), beta, offsetOf(c));
    }
  }
}

/**
 * Products C = A B^T in blocks of `rows` rows, each computed as its transpose B A^T: what libraries do best where a block
 * has few rows. `table` has eight doubles for each of `count` products: M, N, K, A, B, C, columns of a block, number of
 * its first block. A range counts blocks, those on the same rows of B in a row. `scratch` holds `floats` floats per
 * thread.
 */
export function productBlocks(
  table: usize,
  count: i32,
  rows: i32,
  scratch: usize,
  floats: i32,
  from: i32,
  to: i32,
): void {
  const turned = scratch + <usize>rank * floats * 4;
  const last = table + <usize>(count - 1) * 64;
  let p = table;
  for (let block = from; block < to; block++) {
    while (p < last && <f64>block >= load<f64>(p + 64, 56)) p += 64;
    const M = <i32>load<f64>(p);
    const N = <i32>load<f64>(p, 8);
    const K = <i32>load<f64>(p, 16);
    const columns = <i32>load<f64>(p, 48);
    const own = block - <i32>load<f64>(p, 56);
    const rowBlocks = (M + rows - 1) / rows;
    const row = (own % rowBlocks) * rows;
    const column = (own / rowBlocks) * columns;
    const height = min(rows, M - row);
    const width = min(columns, N - column);
    const a = <usize>load<f64>(p, 24) + <usize>row * K * 4;
    const b = <usize>load<f64>(p, 32) + <usize>column * K * 4;
    product(0, 1, width, height, K, b, a, 0, turned);
    turnBack(turned, width, height, <usize>load<f64>(p, 40) + (<usize>row * N + column) * 4, N);
  }
}

/** A dense block [width, height] -> [height, width] within rows of `N` floats. */
export function turnBack(block: usize, width: i32, height: i32, c: usize, N: i32): void {
  const pitch = <usize>height * 4;
  const stride = <usize>N * 4;
  let i = 0;
  for (; i + 4 <= height; i += 4) {
    let p = block + <usize>i * 4;
    let q = c + <usize>i * stride;
    let j = 0;
    for (; j + 4 <= width; j += 4) {
      transposeFour(get(p), get(p + pitch), get(p + 2 * pitch), get(p + 3 * pitch), q, stride);
      p += 4 * pitch;
      q += 16;
    }
    for (; j < width; j++) {
      for (let x: usize = 0; x < 4; x++) store<f32>(q + x * stride, load<f32>(p + x * 4));
      p += pitch;
      q += 4;
    }
  }
  for (; i < height; i++) {
    for (let j = 0; j < width; j++)
      store<f32>(c + <usize>i * stride + <usize>j * 4, load<f32>(block + <usize>j * pitch + <usize>i * 4));
  }
}

/**
 * One row times a transposed B: B is read once from front to back, as fast as memory gives it. A range counts B's rows.
 */
export function productRow(K: i32, a: usize, b: usize, c: usize, from: i32, to: i32): void {
  const wide = <usize>(K & ~15) * 4;
  const whole = <usize>(K & ~3) * 4;
  const rest = <usize>(K & 3);
  for (let j = from; j < to; j++) {
    const q = b + <usize>j * K * 4;
    let s0 = splat(0);
    let s1 = splat(0);
    let s2 = splat(0);
    let s3 = splat(0);
    let k: usize = 0;
    for (; k < wide; k += 64) {
      s0 = madd(get(a + k), get(q + k), s0);
      s1 = madd(v128.load(a + k, 16), v128.load(q + k, 16), s1);
      s2 = madd(v128.load(a + k, 32), v128.load(q + k, 32), s2);
      s3 = madd(v128.load(a + k, 48), v128.load(q + k, 48), s3);
    }
    for (; k < whole; k += 16) s0 = madd(get(a + k), get(q + k), s0);
    if (rest) s1 = madd(loadPart(a + whole, rest), loadPart(q + whole, rest), s1);
    store<f32>(c + <usize>j * 4, sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))));
  }
}
