import type * as tf from "@tensorflow/tfjs-core";
import type { CpuBackend } from "../backend.ts";
import { factsOf, windowOf, withAttentionScratch, workOf } from "./attention.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

export const gatedAttention: FusedKernel<"TokensiftGatedAttention"> = ({ q, k, v, gates }, attrs, backend) => {
  const [N, width] = q.shape;
  const results = [backend.empty([N, width]), backend.empty([N, attrs.heads])];
  run(backend, "gatedAttention", attrs.heads, [q, k, v, gates, ...results], attrs);
  return results;
};

export const gatedAttentionGradient: FusedKernel<"TokensiftGatedAttentionGrad"> = (inputs, attrs, backend) => {
  const { q, k, v, gates, output, logSumExp, dy } = inputs;
  const results = [q, k, v, gates].map((tensor) => backend.empty(tensor.shape));
  const tensors = [q, k, v, gates, output, logSumExp, dy, ...results];
  run(backend, "gatedAttentionGradient", attrs.keyValueHeads, tensors, attrs);
  return results;
};

/**
 * Runs the kernel for every row and each of its heads.
 * @param tensors what it reads and what it writes, q first
 */
function run(
  backend: CpuBackend,
  kernel: "gatedAttention" | "gatedAttentionGradient",
  headsOfRow: number,
  tensors: readonly tf.TensorInfo[],
  attrs: Parameters<typeof gatedAttention>[1],
): void {
  const { starts, heads, keyValueHeads, evictable, reach } = attrs;
  const d = tensors[0]!.shape[1]! / heads;
  const places = tensors.map((tensor) => backend.placeOf(tensor));
  const tasks = (starts.length - 1) * headsOfRow;
  withHostArrays(backend, [Int32Array.from(evictable), reach, starts], (...arrays) => {
    const values = [...places, ...arrays, heads, keyValueHeads, d, ...factsOf(attrs, d)];
    const body = (scratch: number, floats: number): void =>
      backend.machine.run(kernel, tasks, workOf(attrs, d), ...values, windowOf(attrs), scratch, floats);
    withAttentionScratch(backend, attrs, d, body, "gatedScratch");
  });
}
