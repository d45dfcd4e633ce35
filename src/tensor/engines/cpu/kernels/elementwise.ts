// Elementwise operations. A range counts lines of 16 floats: blocks are padded to whole lines, so what is computed
// beyond a tensor's last element lands in its own padding.
import { expWide, get, loadPart, put, sigmoid, splat, storePart } from "./simd";

const LINE: usize = 64;

const ADD = 0;
const SUBTRACT = 1;
const MULTIPLY = 2;
const DIVIDE = 3;
const MAXIMUM = 4;
const MINIMUM = 5;
const SQUARED_DIFFERENCE = 6;

// @ts-ignore: decorator
@inline
function combine(operation: i32, x: v128, y: v128): v128 {
  if (operation == ADD) return f32x4.add(x, y);
  if (operation == SUBTRACT) return f32x4.sub(x, y);
  if (operation == MULTIPLY) return f32x4.mul(x, y);
  if (operation == DIVIDE) return f32x4.div(x, y);
  if (operation == MAXIMUM) return f32x4.max(x, y);
  if (operation == MINIMUM) return f32x4.min(x, y);
  const difference = f32x4.sub(x, y);
  return f32x4.mul(difference, difference);
}

/** Whole tensors of one size. */
// @ts-ignore: decorator
@inline
function same(operation: i32, a: usize, b: usize, out: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) put(out + i, combine(operation, get(a + i), get(b + i)));
}

/**
 * Rows of D: an operand's row `r` starts at `r * rowStep` floats and is either a whole row (`cell` 1) or one number for
 * all columns (`cell` 0).
 */
// @ts-ignore: decorator
@inline
function rows(
  operation: i32,
  a: usize,
  aStep: i32,
  aCell: i32,
  b: usize,
  bStep: i32,
  bCell: i32,
  out: usize,
  D: i32,
  from: i32,
  to: i32,
): void {
  const whole = <usize>(D & ~3) * 4;
  const rest = <usize>(D & 3);
  for (let r = from; r < to; r++) {
    const p = a + <usize>r * aStep * 4;
    const q = b + <usize>r * bStep * 4;
    const o = out + <usize>r * D * 4;
    const x = v128.load_splat<f32>(p);
    const y = v128.load_splat<f32>(q);
    if (aCell && bCell) {
      for (let j: usize = 0; j < whole; j += 16) put(o + j, combine(operation, get(p + j), get(q + j)));
    } else if (aCell) {
      for (let j: usize = 0; j < whole; j += 16) put(o + j, combine(operation, get(p + j), y));
    } else {
      for (let j: usize = 0; j < whole; j += 16) put(o + j, combine(operation, x, get(q + j)));
    }
    if (rest) {
      const xs = aCell ? loadPart(p + whole, rest) : x;
      const ys = bCell ? loadPart(q + whole, rest) : y;
      storePart(o + whole, combine(operation, xs, ys), rest);
    }
  }
}

/** `out = a <operation> b`, tensors of one size. */
export function binarySame(operation: i32, a: usize, b: usize, out: usize, from: i32, to: i32): void {
  if (operation == ADD) same(ADD, a, b, out, from, to);
  else if (operation == SUBTRACT) same(SUBTRACT, a, b, out, from, to);
  else if (operation == MULTIPLY) same(MULTIPLY, a, b, out, from, to);
  else if (operation == DIVIDE) same(DIVIDE, a, b, out, from, to);
  else if (operation == MAXIMUM) same(MAXIMUM, a, b, out, from, to);
  else if (operation == MINIMUM) same(MINIMUM, a, b, out, from, to);
  else same(SQUARED_DIFFERENCE, a, b, out, from, to);
}

/** The same with one operand repeated over rows, over columns, or both. */
export function binaryRows(
  operation: i32,
  a: usize,
  aStep: i32,
  aCell: i32,
  b: usize,
  bStep: i32,
  bCell: i32,
  out: usize,
  D: i32,
  from: i32,
  to: i32,
): void {
  if (operation == ADD) rows(ADD, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else if (operation == SUBTRACT) rows(SUBTRACT, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else if (operation == MULTIPLY) rows(MULTIPLY, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else if (operation == DIVIDE) rows(DIVIDE, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else if (operation == MAXIMUM) rows(MAXIMUM, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else if (operation == MINIMUM) rows(MINIMUM, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
  else rows(SQUARED_DIFFERENCE, a, aStep, aCell, b, bStep, bCell, out, D, from, to);
}

const NEGATE = 0;
const SQUARE = 1;
const SQUARE_ROOT = 2;
const RECIPROCAL_ROOT = 3;
const RECIPROCAL = 4;
const ABSOLUTE = 5;
const EXPONENTIAL = 6;
const SIGMOID = 7;

// @ts-ignore: decorator
@inline
function transform(operation: i32, x: v128): v128 {
  if (operation == NEGATE) return f32x4.neg(x);
  if (operation == SQUARE) return f32x4.mul(x, x);
  if (operation == SQUARE_ROOT) return f32x4.sqrt(x);
  if (operation == RECIPROCAL_ROOT) return f32x4.div(splat(1), f32x4.sqrt(x));
  if (operation == RECIPROCAL) return f32x4.div(splat(1), x);
  if (operation == ABSOLUTE) return f32x4.abs(x);
  if (operation == EXPONENTIAL) return expWide(x);
  return sigmoid(x);
}

// @ts-ignore: decorator
@inline
function each(operation: i32, x: usize, out: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += 16) put(out + i, transform(operation, get(x + i)));
}

/** `out = <operation> x`. */
export function unary(operation: i32, x: usize, out: usize, from: i32, to: i32): void {
  if (operation == NEGATE) each(NEGATE, x, out, from, to);
  else if (operation == SQUARE) each(SQUARE, x, out, from, to);
  else if (operation == SQUARE_ROOT) each(SQUARE_ROOT, x, out, from, to);
  else if (operation == RECIPROCAL_ROOT) each(RECIPROCAL_ROOT, x, out, from, to);
  else if (operation == RECIPROCAL) each(RECIPROCAL, x, out, from, to);
  else if (operation == ABSOLUTE) each(ABSOLUTE, x, out, from, to);
  else if (operation == EXPONENTIAL) each(EXPONENTIAL, x, out, from, to);
  else each(SIGMOID, x, out, from, to);
}

/**
 * `out = gate * sigmoid(gate) * up`. A line at a time: the long chains of instructions of its four vectors overlap, and
 * the constants of the exponential are made once for all of them.
 */
export function swiglu(gate: usize, up: usize, out: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += LINE) {
    const g0 = get(gate + i);
    const g1 = get(gate + i + 16);
    const g2 = get(gate + i + 32);
    const g3 = get(gate + i + 48);
    const s0 = sigmoid(g0);
    const s1 = sigmoid(g1);
    const s2 = sigmoid(g2);
    const s3 = sigmoid(g3);
    put(out + i, f32x4.mul(f32x4.mul(g0, s0), get(up + i)));
    put(out + i + 16, f32x4.mul(f32x4.mul(g1, s1), get(up + i + 16)));
    put(out + i + 32, f32x4.mul(f32x4.mul(g2, s2), get(up + i + 32)));
    put(out + i + 48, f32x4.mul(f32x4.mul(g3, s3), get(up + i + 48)));
  }
}

/** With s = sigmoid(gate): `dGate = dy up s (1 + gate (1 - s))`, `dUp = dy gate s`. */
export function swigluGradient(gate: usize, up: usize, dy: usize, dGate: usize, dUp: usize, from: i32, to: i32): void {
  for (let i = <usize>from * LINE; i < <usize>to * LINE; i += LINE) {
    const g0 = get(gate + i);
    const g1 = get(gate + i + 16);
    const g2 = get(gate + i + 32);
    const g3 = get(gate + i + 48);
    const s0 = sigmoid(g0);
    const s1 = sigmoid(g1);
    const s2 = sigmoid(g2);
    const s3 = sigmoid(g3);
    swigluGradientAt(g0, s0, up + i, dy + i, dGate + i, dUp + i);
    swigluGradientAt(g1, s1, up + i + 16, dy + i + 16, dGate + i + 16, dUp + i + 16);
    swigluGradientAt(g2, s2, up + i + 32, dy + i + 32, dGate + i + 32, dUp + i + 32);
    swigluGradientAt(g3, s3, up + i + 48, dy + i + 48, dGate + i + 48, dUp + i + 48);
  }
}

// @ts-ignore: decorator
@inline
function swigluGradientAt(g: v128, s: v128, up: usize, dy: usize, dGate: usize, dUp: usize): void {
  const d = get(dy);
  const slope = f32x4.mul(s, f32x4.add(splat(1), f32x4.mul(g, f32x4.sub(splat(1), s))));
  put(dGate, f32x4.mul(f32x4.mul(d, get(up)), slope));
  put(dUp, f32x4.mul(d, f32x4.mul(g, s)));
}
