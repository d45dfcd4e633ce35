// Activations, alone and as gates. Each is `x * opening(x)` with an opening from 0 to 1. A range counts lines of 16 floats,
// as in elementwise.ts.
import { get, madd, normalDensity, normalDistribution, put, sigmoid, splat } from "./simd";

const LINE: usize = 64;

const SILU = 0;
const GELU = 1;

// gelu by tanh opens to sigmoid(a x + b x^3): (1 + tanh u) / 2 = sigmoid(2u)
const A: f32 = 1.5957691216;
const B: f32 = 0.0713548163;

// @ts-ignore: decorator
@inline
function opening(kind: i32, x: v128): v128 {
  if (kind == SILU) return sigmoid(x);
  if (kind == GELU) return normalDistribution(x);
  return sigmoid(f32x4.mul(x, madd(f32x4.mul(x, x), splat(B), splat(A))));
}

/** The activation's slope where its opening is `open`. */
// @ts-ignore: decorator
@inline
function slope(kind: i32, x: v128, open: v128): v128 {
  if (kind == GELU) return madd(x, normalDensity(x), open);
  const bend = f32x4.mul(x, f32x4.sub(splat(1), open));
  if (kind == SILU) return f32x4.mul(open, f32x4.add(splat(1), bend));
  const inner = madd(f32x4.mul(x, x), splat(3 * B), splat(A));
  return f32x4.mul(open, madd(bend, inner, splat(1)));
}

// @ts-ignore: decorator
@inline
function each(kind: i32, x: usize, out: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) {
    const v = get(x + i);
    put(out + i, f32x4.mul(v, opening(kind, v)));
  }
}

// @ts-ignore: decorator
@inline
function eachGradient(kind: i32, x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) {
    const v = get(x + i);
    put(dx + i, f32x4.mul(get(dy + i), slope(kind, v, opening(kind, v))));
  }
}

// @ts-ignore: decorator
@inline
function gated(kind: i32, gate: usize, up: usize, out: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) {
    const g = get(gate + i);
    put(out + i, f32x4.mul(f32x4.mul(g, opening(kind, g)), get(up + i)));
  }
}

// @ts-ignore: decorator
@inline
function gatedGradient(
  kind: i32,
  gate: usize,
  up: usize,
  dy: usize,
  dGate: usize,
  dUp: usize,
  from: i32,
  to: i32,
): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) {
    const g = get(gate + i);
    const d = get(dy + i);
    const open = opening(kind, g);
    put(dGate + i, f32x4.mul(f32x4.mul(d, get(up + i)), slope(kind, g, open)));
    put(dUp + i, f32x4.mul(d, f32x4.mul(g, open)));
  }
}

/** `out = act(x)`: silu (0), gelu (1), or gelu by tanh (2). */
export function activate(kind: i32, x: usize, out: usize, from: i32, to: i32): void {
  if (kind == SILU) each(SILU, x, out, from, to);
  else if (kind == GELU) each(GELU, x, out, from, to);
  else each(2, x, out, from, to);
}

/** `dx = dy act'(x)`. */
export function activateGradient(kind: i32, x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  if (kind == SILU) eachGradient(SILU, x, dy, dx, from, to);
  else if (kind == GELU) eachGradient(GELU, x, dy, dx, from, to);
  else eachGradient(2, x, dy, dx, from, to);
}

/** `out = act(gate) up`: gelu (1), or gelu by tanh (2); `swiglu` is that of silu. */
export function gatedUnit(kind: i32, gate: usize, up: usize, out: usize, from: i32, to: i32): void {
  if (kind == GELU) gated(GELU, gate, up, out, from, to);
  else gated(2, gate, up, out, from, to);
}

/** `dGate = dy up act'(gate)`, `dUp = dy act(gate)`. */
export function gatedUnitGradient(
  kind: i32,
  gate: usize,
  up: usize,
  dy: usize,
  dGate: usize,
  dUp: usize,
  from: i32,
  to: i32,
): void {
  if (kind == GELU) gatedGradient(GELU, gate, up, dy, dGate, dUp, from, to);
  else gatedGradient(2, gate, up, dy, dGate, dUp, from, to);
}
