import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type * as tf from "@tensorflow/tfjs-core";
import type { ShaderKernel } from "./kernel.ts";
import { runByElements, runByRows } from "./program.ts";

/** WGSL's sum of `term` (at `i`) over the row's columns, into `total`. */
const sumOfRow = (term: string): string => `
  var sum = 0.0;
  for (var i = row * uniforms.width + lane; i < (row + 1) * uniforms.width; i += LANES) { sum += ${term}; }
  let total = sumOfLanes(sum);`;

export const rmsNorm: ShaderKernel<"TokensiftRmsNorm"> = ({ x, gain }, { epsilon }, backend) => {
  const [rows, width] = x.shape;
  const rstd = runByRows(backend, {
    name: "rmsNorm rstd",
    inputs: { x },
    floats: { epsilon },
    integers: { width },
    shape: [rows],
    rows,
    body: `${sumOfRow("x[i] * x[i]")}
      if (lane == 0) { result[row] = inverseSqrt(total / f32(uniforms.width) + uniforms.epsilon); }`,
  });
  const output = runByElements(backend, {
    name: "rmsNorm",
    inputs: { x, gain, rstd },
    perRow: ["rstd"],
    shape: x.shape,
    value: "x[index] * rstd[row] * gain[column]",
  });
  return [output, rstd];
};

export const rmsNormGradient: ShaderKernel<"TokensiftRmsNormGrad"> = ({ x, gain, rstd, dy }, _attrs, backend) => {
  const [rows, width] = x.shape;
  const along = runByRows(backend, {
    name: "rmsNorm along",
    inputs: { x, gain, rstd, dy },
    integers: { width },
    shape: [rows],
    rows,
    body: `${sumOfRow("dy[i] * gain[i - row * uniforms.width] * x[i]")}
      if (lane == 0) { result[row] = total * rstd[row] / f32(uniforms.width); }`,
  });
  const dx = runByElements(backend, {
    name: "rmsNorm dx",
    inputs: { x, gain, rstd, dy, along },
    perRow: ["rstd", "along"],
    shape: x.shape,
    value: "rstd[row] * (dy[index] * gain[column] - x[index] * (rstd[row] * along[row]))",
  });
  backend.disposeData(along.dataId);
  return [dx, gainGradient(backend, { x, rstd, dy }, [rows, width])];
};

/** Rows that are added up at a time. */
const BLOCK = 64;

/** Sum over rows of `dy * x * rstd`: `[D]`. */
function gainGradient(
  backend: WebGPUBackend,
  inputs: Record<"x" | "rstd" | "dy", tf.TensorInfo>,
  [rows, width]: readonly [rows: number, width: number],
): tf.TensorInfo {
  const term = "dy[r * uniforms.columns + column] * x[r * uniforms.columns + column] * rstd[r]";
  let sums = sumBlocks(backend, "rmsNorm dGain", inputs, [rows, width], term);
  while (sums.shape[0]! > 1) {
    const next = sumBlocks(backend, "sum of rows", { x: sums }, sums.shape, "x[r * uniforms.columns + column]");
    backend.disposeData(sums.dataId);
    sums = next;
  }
  return { ...sums, shape: [width] };
}

/** Sums of `term` over each `BLOCK` rows `r`. */
function sumBlocks(
  backend: WebGPUBackend,
  name: string,
  inputs: Record<string, tf.TensorInfo>,
  [count, width]: readonly number[],
  term: string,
): tf.TensorInfo {
  return runByElements(backend, {
    name,
    inputs,
    perRow: ["rstd"],
    integers: { count: count! },
    shape: [Math.ceil(count! / BLOCK), width!],
    before: `
      var sum = Value();
      for (var r = row * ${BLOCK}; r < min((row + 1) * ${BLOCK}, uniforms.count); r++) { sum += ${term}; }`,
    value: "sum",
  });
}

export const rotary: ShaderKernel<"TokensiftRotary"> = ({ x, cos, sin }, { heads, sign }, backend) => {
  const [rows, width] = x.shape;
  const half = width / heads / 2;
  const output = runByElements(backend, {
    name: "rotary",
    inputs: { x, cos, sin },
    floats: { sign },
    integers: { rowsOfToken: 2 * heads },
    // Halves of heads as rows, so that neighbours within one may be computed at a time.
    shape: [rows * heads * 2, half],
    before: `
      let angle = row / uniforms.rowsOfToken * uniforms.columns + column;
      let first = row % 2 == 0;
      let other = x[select(index - uniforms.columns, index + uniforms.columns, first)];
      let s = select(uniforms.sign, -uniforms.sign, first) * sin[angle];`,
    value: "x[index] * cos[angle] + other * s",
  });
  return [{ ...output, shape: x.shape }];
};

/** WGSL of `1 / (1 + e^-gate)`, whose exponential stays finite. */
const SIGMOID = "1.0 / (1.0 + exp(min(-gate[index], Value(87.0))))";

export const swiglu: ShaderKernel<"TokensiftSwiglu"> = ({ gate, up }, _attrs, backend) => {
  const inputs = { gate, up };
  const value = `gate[index] * (${SIGMOID}) * up[index]`;
  return [runByElements(backend, { name: "swiglu", inputs, shape: gate.shape, value })];
};

export const swigluGradient: ShaderKernel<"TokensiftSwigluGrad"> = ({ gate, up, dy }, _attrs, backend) => {
  const before = `let s = ${SIGMOID};`;
  const { shape } = gate;
  const dGate = runByElements(backend, {
    name: "swiglu dGate",
    inputs: { gate, up, dy },
    shape,
    before,
    value: "dy[index] * up[index] * s * (1.0 + gate[index] * (1.0 - s))",
  });
  const value = "dy[index] * gate[index] * s";
  return [dGate, runByElements(backend, { name: "swiglu dUp", inputs: { gate, dy }, shape, before, value })];
};
