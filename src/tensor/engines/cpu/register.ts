import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { BACKEND } from "./backend.ts";
import { elementwise } from "./fast/elementwise.ts";
import type { Call, FastKernel } from "./fast/kernel.ts";
import { layout } from "./fast/layout.ts";
import { products } from "./fast/product.ts";
import { reductions } from "./fast/reduce.ts";
import type { FusedKernel } from "./fused/kernel.ts";
import { fusedKernels } from "./fused/kernels.ts";
import type { CpuBackend } from "./backend.ts";

/**
 * Registers every kernel of TensorFlow.js' cpu backend for ours, with our faster form in front where there is one, and
 * the fused kernels of `ops/`. Once per process: kernels find their memory through the backend they are called with.
 */
export function registerKernels(): void {
  if (tf.getKernelsForBackend(BACKEND).length > 0) return;
  const fast = new Map<string, unknown>(Object.entries({ ...elementwise, ...products, ...layout, ...reductions }));
  for (const config of tf.getKernelsForBackend("cpu")) {
    const faster = fast.get(config.kernelName) as FastKernel | undefined;
    const kernelFunc: tf.KernelFunc =
      faster === undefined
        ? config.kernelFunc
        : (call) => faster(call as unknown as Call<never>) ?? config.kernelFunc(call);
    tf.registerKernel({ ...config, backendName: BACKEND, kernelFunc });
  }
  for (const [kernelName, fused] of Object.entries(fusedKernels)) {
    const run = fused as unknown as FusedKernel<"TokensiftSwiglu">;
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc: ({ inputs, attrs, backend }) => run(inputs as never, attrs as never, backend as CpuBackend),
    });
  }
}
