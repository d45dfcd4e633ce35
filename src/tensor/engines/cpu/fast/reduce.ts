import * as tf from "@tensorflow/tfjs-core";
import type { FastKernel } from "./kernel.ts";
import { isFloat, product } from "./kernel.ts";

interface ReduceAttributes {
  axis?: number | number[];
  /** What the kernel of the maximum calls its axes. */
  reductionIndices?: number | number[];
  keepDims?: boolean;
}

/** Sums (over `divisor` of them) or maxima over the first axes or over the last ones. */
function reduce(kind: "sum" | "mean" | "max"): FastKernel<ReduceAttributes> {
  return ({ inputs, attrs, backend }) => {
    const x = inputs["x"]!;
    const rank = x.shape.length;
    if (!isFloat(x) || rank === 0 || product(x.shape) === 0) return undefined;
    const axes = tf.util
      .parseAxisParam((kind === "max" ? attrs.reductionIndices : attrs.axis) as number[], x.shape)
      .sort((a, b) => a - b);
    const last = axes.every((axis, i) => axis === rank - axes.length + i);
    const first = axes.every((axis, i) => axis === i);
    if (!last && (!first || kind === "max")) return undefined;
    const [kept, reduced] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
    const out = backend.empty(attrs.keepDims === true ? tf.backend_util.expandShapeToKeepDim(kept, axes) : kept);
    const [outer, inner] = [product(kept), product(reduced)];
    const factor = kind === "mean" ? 1 / inner : 1;
    const at = backend.placeOf(x);
    if (kind === "max") backend.machine.run("maxRows", outer, inner, at, out.place, inner);
    else if (last) backend.machine.run("sumRows", outer, inner, at, out.place, inner, factor);
    else backend.machine.run("sumColumns", outer, inner, at, out.place, inner, outer, factor);
    return out;
  };
}

const argMax: FastKernel<{ axis: number | number[] }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  const width = x.shape.at(-1) ?? 0;
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  if (!isFloat(x) || axis !== x.shape.length - 1 || product(x.shape) === 0) return undefined;
  const out = backend.empty(x.shape.slice(0, -1), "int32");
  backend.machine.run("argMaxRows", product(out.shape), width, backend.placeOf(x), out.place, width);
  return out;
};

const softmax: FastKernel<{ dim: number }> = ({ inputs, attrs, backend }) => {
  const x = inputs["logits"]!;
  const width = x.shape.at(-1) ?? 1;
  if (!isFloat(x) || attrs.dim !== x.shape.length - 1 || width === 0) return undefined;
  const out = backend.empty(x.shape);
  backend.machine.run("softmaxRows", product(x.shape) / width, 4 * width, backend.placeOf(x), out.place, width);
  return out;
};

export const reductions = {
  Sum: reduce("sum"),
  Mean: reduce("mean"),
  Max: reduce("max"),
  ArgMax: argMax,
  Softmax: softmax,
};
