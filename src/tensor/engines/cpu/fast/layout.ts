import * as tf from "@tensorflow/tfjs-core";
import type { CpuBackend } from "../backend.ts";
import type { FastKernel } from "./kernel.ts";
import { isFloat, product, sizeOf, zeros } from "./kernel.ts";

function transposeKernel({ inputs, attrs, backend }: Parameters<FastKernel<{ perm: number[] }>>[0]) {
  const x = inputs["x"]!;
  const rank = x.shape.length;
  if (x.dtype === "bool" || x.dtype === "string" || x.dtype === "complex64" || rank > 4) return undefined;
  const steps = x.shape.map((_, axis) => product(x.shape.slice(axis + 1)));
  const shape = attrs.perm.map((axis) => x.shape[axis]!);
  const out = backend.empty(shape, x.dtype);
  const n = [...new Array<number>(4 - rank).fill(1), ...shape];
  const s = [...new Array<number>(4 - rank).fill(0), ...attrs.perm.map((axis) => steps[axis]!)];
  // The first axis of more than one is what threads share; leading axes of one are rotated behind it.
  while (n[0] === 1 && n.some((length, i) => i < 3 && length !== 1)) {
    n.splice(2, 0, n.shift()!);
    s.splice(2, 0, s.shift()!);
  }
  const weight = 2 * n[1]! * n[2]! * n[3]!;
  backend.machine.run("transpose", n[0]!, weight, backend.placeOf(x), out.place, n[1]!, n[2]!, n[3]!, ...s);
  return out;
}

/** Copies the part `[begin, begin + length)` of one axis: pieces of rows whose length is all that lies behind the axis. */
function slicePart(backend: CpuBackend, x: tf.TensorInfo, axis: number, begin: number, length: number): tf.TensorInfo {
  const shape = x.shape.map((size, i) => (i === axis ? length : size));
  const out = backend.empty(shape, x.dtype as "float32");
  const inner = product(x.shape.slice(axis + 1)) * 4;
  const from = backend.placeOf(x) + begin * inner;
  const rows = product(x.shape.slice(0, axis));
  const bytes = length * inner;
  backend.machine.run("copyRows", rows, bytes / 2, from, x.shape[axis]! * inner, out.place, bytes, bytes);
  return out;
}

const slice: FastKernel<{ begin: number | number[]; size: number | number[] }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  if (x.dtype !== "float32" && x.dtype !== "int32") return undefined;
  const whole = x as tf.Tensor;
  const [begin, size] = tf.slice_util.parseSliceParams(whole, attrs.begin, attrs.size) as [number[], number[]];
  tf.slice_util.assertParamsValid(whole, begin, size);
  const cut = x.shape.flatMap((length, axis) => (size[axis] === length ? [] : [axis]));
  if (cut.length > 1 || x.shape.length === 0) return undefined;
  const axis = cut[0] ?? 0;
  return slicePart(backend, x, axis, begin[axis]!, size[axis]!);
};

const split: FastKernel<{ numOrSizeSplits: number | number[]; axis: number }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  if (x.dtype !== "float32" && x.dtype !== "int32") return undefined;
  const axis = tf.util.parseAxisParam(attrs.axis, x.shape)[0]!;
  let begin = 0;
  return tf.backend_util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis).map((length) => {
    const part = slicePart(backend, x, axis, begin, length);
    begin += length;
    return part;
  });
};

const concat: FastKernel<{ axis: number }> = ({ inputs, attrs, backend }) => {
  const axis = tf.util.parseAxisParam(attrs.axis, Object.values(inputs)[0]!.shape)[0]!;
  const shapes = Object.values(inputs).map((part) => part.shape);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  const parts = Object.values(inputs).filter((part) => sizeOf(part) > 0);
  if (parts.length === 0 || !isFloat(...parts)) return undefined;
  const out = backend.empty(tf.backend_util.computeOutShape(shapes, axis));
  const rows = product(out.shape.slice(0, axis));
  const pitch = product(out.shape.slice(axis)) * 4;
  let at = out.place;
  for (const part of parts) {
    const bytes = product(part.shape.slice(axis)) * 4;
    backend.machine.run("copyRows", rows, bytes / 2, backend.placeOf(part), bytes, at, pitch, bytes);
    at += bytes;
  }
  return out;
};

const gather: FastKernel<{ axis: number; batchDims: number }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  const indices = inputs["indices"]!;
  const size = x.shape[0];
  if (attrs.axis !== 0 || (attrs.batchDims ?? 0) !== 0 || size === undefined) return undefined;
  if (!isFloat(x) || indices.dtype !== "int32") return undefined;
  const ids = backend.valuesOf(indices);
  const outside = ids.findIndex((id) => id < 0 || id >= size);
  if (outside >= 0) throw new Error(`GatherV2: the index value ${ids[outside]} is not in [0, ${size - 1}]`);
  const out = backend.empty([...indices.shape, ...x.shape.slice(1)]);
  const width = product(x.shape.slice(1));
  const places = [backend.placeOf(x), backend.placeOf(indices), out.place];
  backend.machine.run("gatherRows", ids.length, 2 * width, ...places, width);
  return out;
};

const segmentSum: FastKernel<{ numSegments: number }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  const segments = inputs["segmentIds"]!;
  if (!isFloat(x) || segments.dtype !== "int32" || segments.shape.length !== 1) return undefined;
  const ids = backend.valuesOf(segments);
  if (ids.some((id) => id < 0 || id >= attrs.numSegments)) return undefined;
  const out = zeros(backend, [attrs.numSegments, ...x.shape.slice(1)]);
  const width = product(x.shape.slice(1));
  const places = [backend.placeOf(x), backend.placeOf(segments), out.place];
  backend.machine.run("addRows", width, 3 * ids.length, ...places, ids.length, width);
  return out;
};

const fill: FastKernel<{ shape: number[]; value: number; dtype?: tf.DataType }> = ({ attrs, backend }) => {
  const dtype = attrs.dtype ?? tf.util.inferDtype(attrs.value);
  if (dtype !== "float32") return undefined;
  const out = backend.empty(attrs.shape);
  backend.valuesOf(out).fill(attrs.value);
  return out;
};

/** TensorFlow.js' own cast shares the values where none is lost, whatever array holds them; kernels of ours cannot. */
const cast: FastKernel<{ dtype: tf.DataType }> = ({ inputs, attrs, backend }) => {
  const x = inputs["x"]!;
  const known = [x.dtype, attrs.dtype].every((dtype) => ["float32", "int32", "bool"].includes(dtype));
  if (!known || x.dtype === attrs.dtype) return undefined;
  const out = backend.empty(x.shape, attrs.dtype as "float32");
  const values = backend.valuesOf(x);
  backend.valuesOf(out).set(attrs.dtype === "bool" ? values.map((value) => (value === 0 ? 0 : 1)) : values);
  return out;
};

const filled =
  (value: number): FastKernel =>
  ({ inputs, backend }) => {
    const x = inputs["x"]!;
    if (!isFloat(x)) return undefined;
    const out = backend.empty(x.shape, "float32", backend.placeOf(x));
    backend.valuesOf(out).fill(value);
    return out;
  };

export const layout = {
  Transpose: transposeKernel as FastKernel<{ perm: number[] }>,
  Slice: slice,
  SplitV: split,
  Concat: concat,
  GatherV2: gather,
  UnsortedSegmentSum: segmentSum,
  Fill: fill,
  Cast: cast,
  ZerosLike: filled(0),
  OnesLike: filled(1),
};
