import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.ts";
import { assign, type ShaderKernel } from "./kernel.ts";
import { runByElements, runByRows } from "./program.ts";

export const adamw: ShaderKernel<"TokensiftAdamW"> = ({ parameter, gradient, m, v }, settings, backend) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = settings;
  const { shape } = parameter;
  const first = runByElements(backend, {
    name: "adamw m",
    inputs: { m, gradient },
    floats: { keep: beta1, add: (1 - beta1) * gradientScale },
    shape,
    value: "uniforms.keep * m[index] + uniforms.add * gradient[index]",
  });
  const second = runByElements(backend, {
    name: "adamw v",
    inputs: { v, gradient },
    floats: { keep: beta2, add: 1 - beta2, scale: gradientScale },
    shape,
    value:
      "uniforms.keep * v[index] + uniforms.add * (uniforms.scale * gradient[index]) * (uniforms.scale * gradient[index])",
  });
  assign(backend, m, first);
  assign(backend, v, second);
  const updated = runByElements(backend, {
    name: "adamw parameter",
    inputs: { parameter, m, v },
    floats: {
      keep: 1 - learningRate * weightDecay,
      rate: learningRate / (1 - beta1 ** step),
      spread: Math.sqrt(1 - beta2 ** step),
      epsilon,
    },
    shape,
    value:
      "uniforms.keep * parameter[index] - uniforms.rate * m[index] / (sqrt(v[index]) / uniforms.spread + uniforms.epsilon)",
  });
  assign(backend, parameter, updated);
  return [];
};

/** Elements whose squares, or sums, a workgroup adds up. */
const BLOCK = 4096;

export const sumOfSquares: ShaderKernel<"TokensiftSumOfSquares"> = ({ x }, _attrs, backend) => {
  let sums = sumBlocks(backend, x, "squares", "x[i] * x[i]");
  while (sizeOf(sums.shape) > 1) {
    const next = sumBlocks(backend, sums, "sums", "x[i]");
    backend.disposeData(sums.dataId);
    sums = next;
  }
  return [{ ...sums, shape: [] }];
};

/** Sums of `term` over each `BLOCK` elements of x. */
function sumBlocks(backend: WebGPUBackend, x: tf.TensorInfo, name: string, term: string): tf.TensorInfo {
  const count = sizeOf(x.shape);
  const rows = Math.max(1, Math.ceil(count / BLOCK));
  return runByRows(backend, {
    name: `sum of ${name}`,
    inputs: { x },
    integers: { count },
    shape: [rows],
    rows,
    body: `
      let end = min((row + 1) * ${BLOCK}, uniforms.count);
      var sum = 0.0;
      for (var i = row * ${BLOCK} + lane; i < end; i += LANES) { sum += ${term}; }
      let total = sumOfLanes(sum);
      if (lane == 0) { result[row] = total; }`,
  });
}
