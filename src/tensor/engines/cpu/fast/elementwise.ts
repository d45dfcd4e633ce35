import * as tf from "@tensorflow/tfjs-core";
import type { FastKernel } from "./kernel.ts";
import { isFloat, linesOf, product, reshaped, sizeOf } from "./kernel.ts";

/** How an operand is repeated: floats from one row to the next, and 1 where a row has its own columns, 0 where not. */
type Steps = [row: number, cell: 0 | 1];

/** The operand as rows of the result's last axes, or undefined where it is repeated in some other way. */
function stepsOf(shape: number[], result: number[], width: number): Steps | undefined {
  const size = product(shape);
  if (size === 1) return [0, 0];
  if (size === product(result)) return [width, 1];
  const padded = [...new Array<number>(result.length - shape.length).fill(1), ...shape];
  const fits = (from: number, to: number, want: (axis: number) => number): boolean =>
    padded.slice(from, to).every((length, i) => length === want(from + i));
  const rank = result.length;
  for (let split = 0; split <= rank; split++) {
    if (product(result.slice(split)) !== width) continue;
    if (fits(0, split, () => 1) && fits(split, rank, (axis) => result[axis]!)) return [0, 1];
    if (fits(0, split, (axis) => result[axis]!) && fits(split, rank, () => 1)) return [1, 0];
  }
  return undefined;
}

/** The widest rows at which both operands are whole, repeated by row or repeated by column. */
function rowWidth(a: number[], b: number[], result: number[]): { width: number; a: Steps; b: Steps } | undefined {
  for (let split = 0; split <= result.length; split++) {
    const width = product(result.slice(split));
    const [x, y] = [stepsOf(a, result, width), stepsOf(b, result, width)];
    if (x !== undefined && y !== undefined && (x[1] === 1 || y[1] === 1)) return { width, a: x, b: y };
  }
  return undefined;
}

function binary(operation: number): FastKernel {
  return ({ inputs, backend }) => {
    const a = inputs["a"]!;
    const b = inputs["b"]!;
    if (!isFloat(a, b)) return undefined;
    const shape = tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const size = product(shape);
    const [p, q] = [backend.placeOf(a), backend.placeOf(b)];
    if (sizeOf(a) === size && sizeOf(b) === size) {
      const out = backend.empty(shape, "float32", p);
      backend.machine.run("binarySame", linesOf(size), 48, operation, p, q, out.place);
      return out;
    }
    const rows = rowWidth(a.shape, b.shape, shape);
    if (rows === undefined || size === 0) return undefined;
    const out = backend.empty(shape, "float32", p);
    const steps = [p, ...rows.a, q, ...rows.b];
    backend.machine.run("binaryRows", size / rows.width, 3 * rows.width, operation, ...steps, out.place, rows.width);
    return out;
  };
}

function unary(operation: number): FastKernel {
  return ({ inputs, backend }) => {
    const x = inputs["x"]!;
    if (!isFloat(x)) return undefined;
    const at = backend.placeOf(x);
    const out = backend.empty(x.shape, "float32", at);
    backend.machine.run("unary", linesOf(sizeOf(x)), 32, operation, at, out.place);
    return out;
  };
}

const addN: FastKernel = ({ inputs, backend }) => {
  const terms = Object.values(inputs);
  if (!isFloat(...terms)) return undefined;
  if (terms.length === 1) return reshaped(backend, terms[0]!, terms[0]!.shape);
  let sum = backend.placeOf(terms[0]!);
  const out = backend.empty(terms[0]!.shape, "float32", sum);
  const lines = linesOf(sizeOf(out));
  for (const term of terms.slice(1)) {
    backend.machine.run("binarySame", lines, 48, 0, sum, backend.placeOf(term), out.place);
    sum = out.place;
  }
  return out;
};

/** Elementwise kernels by TensorFlow.js' names; the numbers are those of `kernels/elementwise.ts`. */
export const elementwise: Record<string, FastKernel> = {
  Add: binary(0),
  Sub: binary(1),
  Multiply: binary(2),
  RealDiv: binary(3),
  Maximum: binary(4),
  Minimum: binary(5),
  SquaredDifference: binary(6),
  AddN: addN,
  Neg: unary(0),
  Square: unary(1),
  Sqrt: unary(2),
  Rsqrt: unary(3),
  Reciprocal: unary(4),
  Abs: unary(5),
  Exp: unary(6),
  Sigmoid: unary(7),
};
