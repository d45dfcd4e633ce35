// Layer normalisation.
import { sumOf } from "./reduce";
import { get, loadPart, madd, put, selectPart, splat, storePart, sumLanes } from "./simd";

/** Sum of the squares of `x - mean` over a row. */
function spread(x: usize, D: i32, mean: v128): f32 {
  const whole = <usize>(D & ~3) * 4;
  const rest = D & 3;
  let even = splat(0);
  let odd = splat(0);
  let j: usize = 0;
  for (; j + 32 <= whole; j += 32) {
    const u = f32x4.sub(get(x + j), mean);
    const v = f32x4.sub(v128.load(x + j, 16), mean);
    even = madd(u, u, even);
    odd = madd(v, v, odd);
  }
  if (j < whole) {
    const u = f32x4.sub(get(x + j), mean);
    even = madd(u, u, even);
  }
  if (rest) {
    const u = selectPart(f32x4.sub(loadPart(x + whole, rest), mean), splat(0), rest);
    odd = madd(u, u, odd);
  }
  return sumLanes(f32x4.add(even, odd));
}

/** `rstd = 1 / sqrt(mean((x - mean)^2) + epsilon)`, `y = (x - mean) rstd gain + bias`, rows of D. */
export function layerNorm(
  x: usize,
  gain: usize,
  bias: usize,
  y: usize,
  means: usize,
  rstds: usize,
  D: i32,
  epsilon: f32,
  from: i32,
  to: i32,
): void {
  const whole = <usize>(D & ~3) * 4;
  const rest = <usize>(D & 3);
  for (let r = from; r < to; r++) {
    const p = x + <usize>r * D * 4;
    const q = y + <usize>r * D * 4;
    const mean = <f32>(sumOf(p, D) / <f64>D);
    const m = splat(mean);
    const rstd: f32 = 1 / sqrt<f32>(spread(p, D, m) / <f32>D + epsilon);
    store<f32>(means + <usize>r * 4, mean);
    store<f32>(rstds + <usize>r * 4, rstd);
    const s = splat(rstd);
    for (let j: usize = 0; j < whole; j += 16)
      put(q + j, madd(f32x4.mul(f32x4.sub(get(p + j), m), s), get(gain + j), get(bias + j)));
    if (rest) {
      const normal = f32x4.mul(f32x4.sub(loadPart(p + whole, rest), m), s);
      storePart(q + whole, madd(normal, loadPart(gain + whole, rest), loadPart(bias + whole, rest)), rest);
    }
  }
}

/**
 * With `n = (x - mean) rstd`, `g = dy gain`: `dx = rstd (g - mean(g) - n mean(g n))`; `dGain` and `dBias` of each block of
 * `height` rows go to their own rows of `gains` and `biases`, to be summed in order. A range counts blocks.
 */
export function layerNormGradient(
  x: usize,
  gain: usize,
  means: usize,
  rstds: usize,
  dy: usize,
  dx: usize,
  gains: usize,
  biases: usize,
  D: i32,
  rows: i32,
  height: i32,
  from: i32,
  to: i32,
): void {
  for (let block = from; block < to; block++) {
    const dGain = gains + <usize>block * D * 4;
    const dBias = biases + <usize>block * D * 4;
    memory.fill(dGain, 0, <usize>D * 4);
    memory.fill(dBias, 0, <usize>D * 4);
    for (let r = block * height; r < min(rows, (block + 1) * height); r++) {
      const at = <usize>r * D * 4;
      const mean = load<f32>(means + <usize>r * 4);
      const rstd = load<f32>(rstds + <usize>r * 4);
      gradientRow(x + at, gain, mean, rstd, dy + at, dx + at, dGain, dBias, D);
    }
  }
}

function gradientRow(
  x: usize,
  gain: usize,
  mean: f32,
  rstd: f32,
  dy: usize,
  dx: usize,
  dGain: usize,
  dBias: usize,
  D: i32,
): void {
  const whole = <usize>(D & ~3) * 4;
  const rest = <usize>(D & 3);
  const m = splat(mean);
  const s = splat(rstd);
  let along = splat(0);
  let sum = splat(0);
  for (let j: usize = 0; j < whole; j += 16) {
    const d = get(dy + j);
    const t = f32x4.mul(d, f32x4.mul(f32x4.sub(get(x + j), m), s));
    put(dGain + j, f32x4.add(get(dGain + j), t));
    put(dBias + j, f32x4.add(get(dBias + j), d));
    along = madd(t, get(gain + j), along);
    sum = madd(d, get(gain + j), sum);
  }
  if (rest) {
    // beyond the row's end dy and gain are read as 0
    const d = loadPart(dy + whole, rest);
    const t = f32x4.mul(d, f32x4.mul(f32x4.sub(loadPart(x + whole, rest), m), s));
    storePart(dGain + whole, f32x4.add(loadPart(dGain + whole, rest), t), rest);
    storePart(dBias + whole, f32x4.add(loadPart(dBias + whole, rest), d), rest);
    along = madd(t, loadPart(gain + whole, rest), along);
    sum = madd(d, loadPart(gain + whole, rest), sum);
  }
  const factor = splat(-sumLanes(along) / <f32>D);
  const level = splat(sumLanes(sum) / <f32>D);
  for (let j: usize = 0; j < whole; j += 16) {
    const g = f32x4.sub(f32x4.mul(get(dy + j), get(gain + j)), level);
    put(dx + j, f32x4.mul(s, madd(f32x4.mul(f32x4.sub(get(x + j), m), s), factor, g)));
  }
  if (rest) {
    const g = f32x4.sub(f32x4.mul(loadPart(dy + whole, rest), loadPart(gain + whole, rest)), level);
    const normal = f32x4.mul(f32x4.sub(loadPart(x + whole, rest), m), s);
    storePart(dx + whole, f32x4.mul(s, madd(normal, factor, g)), rest);
  }
}
