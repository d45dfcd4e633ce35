// Scores and logits that are kept within a cap: x -> cap tanh(x / cap), whose slope is 1 - tanh(x / cap)^2.
import { get, loadPart, put, splat, storePart, tanh } from "./simd";

const LINE: usize = 64;

// @ts-ignore: decorator
@inline
function capped(x: v128, cap: v128): v128 {
  return f32x4.mul(tanh(f32x4.div(x, cap)), cap);
}

/** `out = cap tanh(x / cap)`; a range counts lines of 16 floats, as in elementwise.ts. */
export function softCap(x: usize, out: usize, cap: f32, from: i32, to: i32): void {
  const most = splat(cap);
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) put(out + i, capped(get(x + i), most));
}

/** The same in place for `n` floats anywhere. */
export function softCapHere(p: usize, n: i32, cap: f32): void {
  const most = splat(cap);
  const whole = <usize>(n & ~3) * 4;
  const rest = <usize>(n & 3);
  for (let j: usize = 0; j < whole; j += 16) put(p + j, capped(get(p + j), most));
  if (rest) storePart(p + whole, capped(loadPart(p + whole, rest), most), rest);
}

// @ts-ignore: decorator
@inline
function slopeOf(capped: v128, cap: v128): v128 {
  const share = f32x4.div(capped, cap);
  return f32x4.sub(splat(1), f32x4.mul(share, share));
}

/** `slopes` of `n` floats that were capped. */
export function softCapSlopes(capped: usize, slopes: usize, n: i32, cap: f32): void {
  const most = splat(cap);
  const whole = <usize>(n & ~3) * 4;
  const rest = <usize>(n & 3);
  for (let j: usize = 0; j < whole; j += 16) put(slopes + j, slopeOf(get(capped + j), most));
  if (rest) storePart(slopes + whole, slopeOf(loadPart(capped + whole, rest), most), rest);
}

/** `p <- p * factors` for `n` floats. */
export function multiply(p: usize, factors: usize, n: i32): void {
  const whole = <usize>(n & ~3) * 4;
  for (let j: usize = 0; j < whole; j += 16) put(p + j, f32x4.mul(get(p + j), get(factors + j)));
  for (let j: usize = whole; j < <usize>n * 4; j += 4) store<f32>(p + j, load<f32>(p + j) * load<f32>(factors + j));
}
