// Sums, maxima and softmax. Long sums are taken in blocks of 1,024 floats whose totals add up in double precision.
import { exp, get, loadPart, maxLanes, put, selectPart, splat, storePart, sumLanes } from "./simd";

const BLOCK: i32 = 1024;

/** Sum of `n` consecutive floats. */
export function sumOf(p: usize, n: i32): f64 {
  let total: f64 = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const length = min(BLOCK, n - start);
    const q = p + <usize>start * 4;
    const whole = <usize>(length & ~3) * 4;
    let even = splat(0);
    let odd = splat(0);
    let j: usize = 0;
    for (; j + 32 <= whole; j += 32) {
      even = f32x4.add(even, get(q + j));
      odd = f32x4.add(odd, v128.load(q + j, 16));
    }
    if (j < whole) even = f32x4.add(even, get(q + j));
    const rest = <usize>(length & 3);
    if (rest) odd = f32x4.add(odd, loadPart(q + whole, rest));
    total += <f64>sumLanes(f32x4.add(even, odd));
  }
  return total;
}

/** Largest of `n` consecutive floats, n > 0. */
export function maxOf(p: usize, n: i32): f32 {
  const whole = <usize>(n & ~3) * 4;
  let even = splat(-Infinity);
  let odd = even;
  let j: usize = 0;
  for (; j + 32 <= whole; j += 32) {
    even = f32x4.pmax(even, get(p + j));
    odd = f32x4.pmax(odd, v128.load(p + j, 16));
  }
  if (j < whole) even = f32x4.pmax(even, get(p + j));
  const rest = n & 3;
  if (rest) odd = f32x4.pmax(odd, selectPart(loadPart(p + whole, rest), splat(-Infinity), rest));
  return maxLanes(f32x4.pmax(even, odd));
}

/** `out[r] = factor * sum of row r`, rows of D. */
export function sumRows(x: usize, out: usize, D: i32, factor: f64, from: i32, to: i32): void {
  for (let r = from; r < to; r++) store<f32>(out + <usize>r * 4, <f32>(sumOf(x + <usize>r * D * 4, D) * factor));
}

function holdsNaN(p: usize, n: i32): bool {
  const whole = <usize>(n & ~3) * 4;
  let found = splat(0);
  for (let j: usize = 0; j < whole; j += 16) found = v128.or(found, f32x4.ne(get(p + j), get(p + j)));
  const rest = <usize>(n & 3);
  if (rest) found = v128.or(found, f32x4.ne(loadPart(p + whole, rest), loadPart(p + whole, rest)));
  return v128.any_true(found);
}

/** `out[r] = largest of row r`; NaN where the row holds one. */
export function maxRows(x: usize, out: usize, D: i32, from: i32, to: i32): void {
  for (let r = from; r < to; r++) {
    const p = x + <usize>r * D * 4;
    store<f32>(out + <usize>r * 4, holdsNaN(p, D) ? NaN : maxOf(p, D));
  }
}

/** `out[r]` = place of the largest of row r, the first of equals; NaN counts as none, but a row that begins with it gives 0. */
export function argMaxRows(x: usize, out: usize, D: i32, from: i32, to: i32): void {
  for (let r = from; r < to; r++) {
    const p = x + <usize>r * D * 4;
    const first = load<f32>(p);
    let j = 0;
    if (first == first) {
      const largest = maxOf(p, D);
      const sought = splat(largest);
      while (j + 4 <= D && !v128.any_true(f32x4.eq(get(p + <usize>j * 4), sought))) j += 4;
      while (load<f32>(p + <usize>j * 4) != largest) j++;
    }
    store<i32>(out + <usize>r * 4, j);
  }
}

/** `out[j] = factor * sum over rows of x[r, j]` for the columns of the range, added up in the order of the rows. */
export function sumColumns(x: usize, out: usize, rows: i32, D: i32, factor: f32, from: i32, to: i32): void {
  const stride = <usize>D * 4;
  for (let j = from; j < to; j += 4) {
    const p = x + <usize>j * 4;
    const rest = <usize>min(4, to - j);
    let sum = splat(0);
    for (let r = 0; r < rows; r++) {
      const q = p + <usize>r * stride;
      sum = f32x4.add(sum, rest == 4 ? get(q) : loadPart(q, rest));
    }
    sum = f32x4.mul(sum, splat(factor));
    if (rest == 4) put(out + <usize>j * 4, sum);
    else storePart(out + <usize>j * 4, sum, rest);
  }
}

/** `p <- e^(factor * (p - largest))` for `n` floats; returns their sum. */
export function exponentials(p: usize, n: i32, factor: f32, largest: f32): f64 {
  const scale = splat(factor);
  const top = splat(largest);
  let total: f64 = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const length = min(BLOCK, n - start);
    const q = p + <usize>start * 4;
    const whole = <usize>(length & ~3) * 4;
    let sum = splat(0);
    for (let j: usize = 0; j < whole; j += 16) {
      const e = exp(f32x4.mul(f32x4.sub(get(q + j), top), scale));
      put(q + j, e);
      sum = f32x4.add(sum, e);
    }
    const rest = length & 3;
    if (rest) {
      const e = exp(f32x4.mul(f32x4.sub(loadPart(q + whole, rest), top), scale));
      storePart(q + whole, e, rest);
      sum = f32x4.add(sum, selectPart(e, splat(0), rest));
    }
    total += <f64>sumLanes(sum);
  }
  return total;
}

/** `p <- factor * p` for `n` floats. */
export function scale(p: usize, n: i32, factor: f32): void {
  const whole = <usize>(n & ~3) * 4;
  const f = splat(factor);
  for (let j: usize = 0; j < whole; j += 16) put(p + j, f32x4.mul(get(p + j), f));
  const rest = <usize>(n & 3);
  if (rest) storePart(p + whole, f32x4.mul(loadPart(p + whole, rest), f), rest);
}

/** Softmax of each row of D. */
export function softmaxRows(x: usize, out: usize, D: i32, from: i32, to: i32): void {
  for (let r = from; r < to; r++) {
    const p = out + <usize>r * D * 4;
    memory.copy(p, x + <usize>r * D * 4, <usize>D * 4);
    const sum = exponentials(p, D, 1, maxOf(p, D));
    scale(p, D, <f32>(1 / sum));
  }
}

/** Sum of the squares of 4,096 floats at a time (the last block: what is left), one double for each block. */
export function squareSums(x: usize, n: i32, sums: usize, from: i32, to: i32): void {
  for (let block = from; block < to; block++) {
    const start = block * 4096;
    const length = min(4096, n - start);
    const p = x + <usize>start * 4;
    const whole = <usize>(length & ~3) * 4;
    let a = splat(0);
    let b = splat(0);
    let j: usize = 0;
    for (; j + 32 <= whole; j += 32) {
      const u = get(p + j);
      const v = v128.load(p + j, 16);
      a = f32x4.add(a, f32x4.mul(u, u));
      b = f32x4.add(b, f32x4.mul(v, v));
    }
    if (j < whole) a = f32x4.add(a, f32x4.mul(get(p + j), get(p + j)));
    const rest = <usize>(length & 3);
    if (rest) {
      const u = loadPart(p + whole, rest);
      b = f32x4.add(b, f32x4.mul(u, u));
    }
    store<f64>(sums + <usize>block * 8, <f64>sumLanes(f32x4.add(a, b)));
  }
}
