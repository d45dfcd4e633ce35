// What all kernels share: four float32 lanes at a time. Pointers are byte offsets into the engine's memory.
// Rows need not be multiples of four lanes: the last one to three floats go through loadPart and storePart.

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

// @ts-ignore: decorator
@inline
export function get(p: usize): v128 {
  return v128.load(p);
}

// @ts-ignore: decorator
@inline
export function put(p: usize, v: v128): void {
  v128.store(p, v);
}

/** `a * b + c`, rounded twice: the same bits on every machine. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** The first `count` (1 to 3) floats at `p`; the other lanes are 0. */
export function loadPart(p: usize, count: usize): v128 {
  if (count == 1) return v128.load32_zero(p);
  const two = v128.load64_zero(p);
  return count == 2 ? two : v128.load_lane<f32>(p + 8, two, 2);
}

/** Stores the first `count` (1 to 3) lanes. */
export function storePart(p: usize, v: v128, count: usize): void {
  store<f32>(p, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(p + 4, f32x4.extract_lane(v, 1));
  if (count > 2) store<f32>(p + 8, f32x4.extract_lane(v, 2));
}

/** Keeps the first `count` lanes, puts `other` into the rest. */
// @ts-ignore: decorator
@inline
export function selectPart(v: v128, other: v128, count: i32): v128 {
  return v128.bitselect(v, other, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count)));
}

// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const a = max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
  return max(a, max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)));
}

/**
 * e^x, within 2 units in the last place, for x up to 88 (larger x are taken as 88: see `expWide`); 0 below -87.3, where
 * float32 turns denormal; NaN stays NaN.
 *
 * `x = n ln 2 + r`: adding 1.5 * 2^23 rounds `x / ln 2` to the integer `n` and leaves it in the low mantissa bits, a
 * polynomial gives `e^r`, and `n` goes into the exponent. pmin and pmax are single instructions, min and max are not.
 */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  const bounded = f32x4.pmax(f32x4.pmin(x, splat(88.0)), splat(-87.3));
  const shifted = madd(bounded, splat(1.44269504), splat(12582912.0));
  const n = f32x4.sub(shifted, splat(12582912.0));
  const r = madd(n, splat(2.12194440e-4), madd(n, splat(-0.693359375), bounded));
  const square = f32x4.mul(r, r);
  const high = madd(splat(1.9875691500e-4), r, splat(1.3981999507e-3));
  const middle = madd(splat(8.3334519073e-3), r, splat(4.1665795894e-2));
  const low = madd(splat(1.6666665459e-1), r, splat(5.0000001201e-1));
  const tail = madd(madd(high, square, middle), square, low);
  const p = f32x4.add(madd(tail, square, r), splat(1));
  const scaled = f32x4.mul(p, i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23));
  return v128.andnot(scaled, f32x4.lt(x, splat(-87.3)));
}

/** e^x over the whole range, denormals and infinity included: beyond 87 it is (e^(x/2))^2. */
export function expWide(x: v128): v128 {
  const root = exp(f32x4.mul(x, splat(0.5)));
  return v128.bitselect(f32x4.mul(root, root), exp(x), f32x4.gt(f32x4.abs(x), splat(87.0)));
}

/** e^x of one number, the same bits as the four-lane form. */
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp(splat(x)), 0);
}

/** 1 / (1 + e^-x). */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), exp(f32x4.neg(x))));
}

/** (e^x - e^-x) / (e^x + e^-x), within 3 units in the last place: an odd polynomial up to 0.625, by the exponential beyond. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const size = f32x4.abs(x);
  const square = f32x4.mul(x, x);
  const high = madd(splat(-5.7170366e-3), square, splat(2.0650579e-2));
  const middle = madd(madd(high, square, splat(-5.3743495e-2)), square, splat(1.3331491e-1));
  const tail = f32x4.mul(madd(middle, square, splat(-3.3333284e-1)), square);
  const near = madd(tail, x, x);
  const far = f32x4.sub(splat(1), f32x4.div(splat(2), f32x4.add(exp(f32x4.add(size, size)), splat(1))));
  const signed = v128.or(far, v128.and(x, i32x4.splat(<i32>0x80000000)));
  return v128.bitselect(near, signed, f32x4.lt(size, splat(0.625)));
}

/** Density of the standard normal distribution. */
// @ts-ignore: decorator
@inline
export function normalDensity(x: v128): v128 {
  return f32x4.mul(exp(f32x4.mul(f32x4.mul(x, x), splat(-0.5))), splat(0.3989422804));
}

/**
 * Its distribution function, within 2e-7: left of 0 it is e^(-x^2/2) times a polynomial in 1 / (1 + 0.32 |x|), fitted to
 * the ratio of both up to |x| = 13.
 */
// @ts-ignore: decorator
@inline
export function normalDistribution(x: v128): v128 {
  const size = f32x4.abs(x);
  const t = f32x4.div(splat(1), madd(size, splat(0.32), splat(1)));
  let p = madd(splat(0.04596550172), t, splat(-0.2432059314));
  p = madd(p, t, splat(0.4168528969));
  p = madd(p, t, splat(-0.1808024337));
  p = madd(p, t, splat(0.2321124008));
  p = madd(p, t, splat(0.0974602999));
  p = madd(p, t, splat(0.1318584688));
  p = madd(p, t, splat(-0.000241207994));
  const left = f32x4.mul(exp(f32x4.mul(f32x4.mul(x, x), splat(-0.5))), p);
  return v128.bitselect(left, f32x4.sub(splat(1), left), f32x4.lt(x, splat(0)));
}

/** Natural logarithm of a positive number. */
export function log1(x: f32): f32 {
  return <f32>Math.log(<f64>x);
}

/** Stores the transpose of four rows of four, one column every `stride` bytes. */
// @ts-ignore: decorator
@inline
export function transposeFour(r0: v128, r1: v128, r2: v128, r3: v128, q: usize, stride: usize): void {
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  put(q, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
  put(q + stride, v128.shuffle<f32>(a, b, 2, 3, 6, 7));
  put(q + 2 * stride, v128.shuffle<f32>(c, d, 0, 1, 4, 5));
  put(q + 3 * stride, v128.shuffle<f32>(c, d, 2, 3, 6, 7));
}
