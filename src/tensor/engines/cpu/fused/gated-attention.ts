import { withAttentionScratch, workOf } from "./attention.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

export const gatedAttention: FusedKernel<"TokensiftGatedAttention"> = ({ q, k, v, gates }, attrs, backend) => {
  const { starts, heads, keyValueHeads, evictable, reach } = attrs;
  const [N, width] = q.shape;
  const d = width / heads;
  const [output, logSumExp] = [backend.empty([N, width]), backend.empty([N, heads])];
  const places = [q, k, v, gates, output, logSumExp].map((tensor) => backend.placeOf(tensor));
  const tasks = (starts.length - 1) * heads;
  withHostArrays(backend, [Int32Array.from(evictable), reach, starts], (...arrays) => {
    const run = (scratch: number, floats: number): void =>
      backend.machine.run(
        "gatedAttention",
        tasks,
        workOf(starts, d),
        ...places,
        ...arrays,
        heads,
        keyValueHeads,
        d,
        scratch,
        floats,
      );
    withAttentionScratch(backend, starts, d, run, "gatedScratch");
  });
  return [output, logSumExp];
};

export const gatedAttentionGradient: FusedKernel<"TokensiftGatedAttentionGrad"> = (inputs, attrs, backend) => {
  const { q, k, v, gates, output, logSumExp, dy } = inputs;
  const { starts, heads, keyValueHeads, evictable, reach } = attrs;
  const d = q.shape[1] / heads;
  const gradients = [q, k, v, gates].map((tensor) => backend.empty(tensor.shape));
  const places = [q, k, v, gates, output, logSumExp, dy, ...gradients].map((tensor) => backend.placeOf(tensor));
  const tasks = (starts.length - 1) * keyValueHeads;
  withHostArrays(backend, [Int32Array.from(evictable), reach, starts], (...arrays) => {
    const run = (scratch: number, floats: number): void =>
      backend.machine.run(
        "gatedAttentionGradient",
        tasks,
        workOf(starts, d),
        ...places,
        ...arrays,
        heads,
        keyValueHeads,
        d,
        scratch,
        floats,
      );
    withAttentionScratch(backend, starts, d, run, "gatedScratch");
  });
  return gradients;
};
