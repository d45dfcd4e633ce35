import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import type { KernelName } from "../../../ops/index.ts";
import type { ShaderKernel } from "./kernel.ts";
import { adamw, sumOfSquares } from "./optimizer.ts";
import * as rows from "./rows.ts";
import * as softmax from "./softmax.ts";

/**
 * The fused kernels that the WebGPU engine has as shaders: those that only pass over memory, of which the plain
 * definition makes many passes. Matrix products are TensorFlow.js' own.
 */
const shaderKernels: { [K in KernelName]?: ShaderKernel<K> } = {
  TokensiftRmsNorm: rows.rmsNorm,
  TokensiftRmsNormGrad: rows.rmsNormGradient,
  TokensiftRotary: rows.rotary,
  TokensiftSwiglu: rows.swiglu,
  TokensiftSwigluGrad: rows.swigluGradient,
  TokensiftCausalSoftmax: softmax.causalSoftmax,
  TokensiftCausalSoftmaxGrad: softmax.causalSoftmaxGradient,
  TokensiftLogitLogProbs: softmax.logProbs,
  TokensiftLogitLogProbsGrad: softmax.logProbsGradient,
  TokensiftAdamW: adamw,
  TokensiftSumOfSquares: sumOfSquares,
};

/** Registers them for TensorFlow.js' WebGPU backend, whose name is given. Once per process. */
export function registerShaders(backendName: string): void {
  for (const [kernelName, shader] of Object.entries(shaderKernels)) {
    if (tf.getKernel(kernelName, backendName) !== undefined) continue;
    const run = shader as unknown as ShaderKernel<"TokensiftSwiglu">;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => run(inputs as never, attrs as never, backend as WebGPUBackend),
    });
  }
}
