// Root-mean-square normalisation and rotary positions.
import { get, loadPart, madd, put, splat, storePart, sumLanes } from "./simd";

/** `rstd = 1 / sqrt(mean(x^2) + epsilon)`, `y = x * rstd * gain`, rows of D. */
export function rmsNorm(x: usize, gain: usize, y: usize, rstd: usize, D: i32, epsilon: f32, from: i32, to: i32): void {
  const whole = <usize>(D & ~3) * 4;
  const rest = <usize>(D & 3);
  for (let r = from; r < to; r++) {
    const p = x + <usize>r * D * 4;
    const q = y + <usize>r * D * 4;
    let even = splat(0);
    let odd = splat(0);
    let j: usize = 0;
    for (; j + 32 <= whole; j += 32) {
      const u = get(p + j);
      const v = v128.load(p + j, 16);
      even = madd(u, u, even);
      odd = madd(v, v, odd);
    }
    if (j < whole) even = madd(get(p + j), get(p + j), even);
    if (rest) odd = madd(loadPart(p + whole, rest), loadPart(p + whole, rest), odd);
    const s: f32 = 1 / sqrt<f32>(sumLanes(f32x4.add(even, odd)) / <f32>D + epsilon);
    store<f32>(rstd + <usize>r * 4, s);
    const factor = splat(s);
    for (j = 0; j < whole; j += 16) put(q + j, f32x4.mul(f32x4.mul(get(p + j), factor), get(gain + j)));
    if (rest) {
      const normal = f32x4.mul(loadPart(p + whole, rest), factor);
      storePart(q + whole, f32x4.mul(normal, loadPart(gain + whole, rest)), rest);
    }
  }
}

/**
 * With `n = x rstd`, `g = dy gain`: `dx = rstd (g - n mean(g n))`; `dGain` of each block of `height` rows goes to its own
 * row of `partial`, to be summed in order. A range counts blocks.
 */
export function rmsNormGradient(
  x: usize,
  gain: usize,
  rstd: usize,
  dy: usize,
  dx: usize,
  partial: usize,
  D: i32,
  rows: i32,
  height: i32,
  from: i32,
  to: i32,
): void {
  for (let block = from; block < to; block++) {
    const sums = partial + <usize>block * D * 4;
    memory.fill(sums, 0, <usize>D * 4);
    for (let r = block * height; r < min(rows, (block + 1) * height); r++) {
      const at = <usize>r * D * 4;
      rmsNormGradientRow(x + at, gain, load<f32>(rstd + <usize>r * 4), dy + at, dx + at, sums, D);
    }
  }
}

function rmsNormGradientRow(x: usize, gain: usize, rstd: f32, dy: usize, dx: usize, dGain: usize, D: i32): void {
  const whole = <usize>(D & ~3) * 4;
  const rest = <usize>(D & 3);
  const s = splat(rstd);
  let along = splat(0);
  for (let j: usize = 0; j < whole; j += 16) {
    const t = f32x4.mul(get(dy + j), f32x4.mul(get(x + j), s));
    put(dGain + j, f32x4.add(get(dGain + j), t));
    along = madd(t, get(gain + j), along);
  }
  if (rest) {
    const t = f32x4.mul(loadPart(dy + whole, rest), f32x4.mul(loadPart(x + whole, rest), s));
    storePart(dGain + whole, f32x4.add(loadPart(dGain + whole, rest), t), rest);
    along = madd(t, loadPart(gain + whole, rest), along);
  }
  const mean = splat(-sumLanes(along) / <f32>D);
  for (let j: usize = 0; j < whole; j += 16) {
    const g = f32x4.mul(get(dy + j), get(gain + j));
    put(dx + j, f32x4.mul(s, madd(f32x4.mul(get(x + j), s), mean, g)));
  }
  if (rest) {
    const g = f32x4.mul(loadPart(dy + whole, rest), loadPart(gain + whole, rest));
    storePart(dx + whole, f32x4.mul(s, madd(f32x4.mul(loadPart(x + whole, rest), s), mean, g)), rest);
  }
}

/**
 * Rotates columns j and j + half of every head of `d` by the angle of column j: `(a, b) -> (a c - b s, b c + a s)`.
 * Columns from 2 half on stay.
 */
export function rotary(
  x: usize,
  cos: usize,
  sin: usize,
  y: usize,
  heads: i32,
  d: i32,
  half: i32,
  sign: f32,
  from: i32,
  to: i32,
): void {
  const side = <usize>half * 4;
  const whole = <usize>(half & ~3) * 4;
  const rest = <usize>(half & 3);
  const turn = splat(sign);
  for (let r = from; r < to; r++) {
    const pc = cos + <usize>r * side;
    const ps = sin + <usize>r * side;
    for (let h = 0; h < heads; h++) {
      const at = (<usize>r * heads + h) * d * 4;
      const p = x + at;
      const q = y + at;
      for (let j: usize = 0; j < whole; j += 16) {
        const a = get(p + j);
        const b = get(p + side + j);
        const c = get(pc + j);
        const s = f32x4.mul(get(ps + j), turn);
        put(q + j, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
        put(q + side + j, madd(b, c, f32x4.mul(a, s)));
      }
      if (rest) {
        const a = loadPart(p + whole, rest);
        const b = loadPart(p + side + whole, rest);
        const c = loadPart(pc + whole, rest);
        const s = f32x4.mul(loadPart(ps + whole, rest), turn);
        storePart(q + whole, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), rest);
        storePart(q + side + whole, madd(b, c, f32x4.mul(a, s)), rest);
      }
      if (2 * half < d) memory.copy(q + 2 * side, p + 2 * side, <usize>d * 4 - 2 * side);
    }
  }
}
