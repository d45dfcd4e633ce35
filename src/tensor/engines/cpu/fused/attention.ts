import type { AttentionAttributes, AttentionFacts, ScoreFacts } from "../../../ops/index.ts";
import type { CpuBackend } from "../backend.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays, writable } from "./kernel.ts";

/** Factor on products and cap (0: none), as kernels take them. */
export function factsOf({ scale, softCap = 0 }: ScoreFacts, headWidth: number): [factor: number, cap: number] {
  // The default is rounded twice, as it always was: its bits are those of every result.
  return [scale ?? Math.fround(1 / Math.fround(Math.sqrt(headWidth))), softCap];
}

/** Keys that a query sees, as kernels take them: where there is no window, more than any row has. */
export function windowOf({ window = Infinity }: AttentionFacts): number {
  return Math.min(window, 2 ** 31 - 1);
}

/** Lends every thread its scratch space for attention, as large as a kernel says: address, and floats a thread. */
export function withAttentionScratch<T>(
  { machine }: CpuBackend,
  { starts, softCap }: AttentionAttributes,
  headWidth: number,
  body: (scratch: number, floats: number) => T,
  kernel = "attentionScratch",
): T {
  const longest = starts.reduce((most, start, row) => Math.max(most, row === 0 ? 0 : start - starts[row - 1]!), 0);
  const floats = Math.ceil(machine.call(kernel, longest, headWidth, softCap === undefined ? 0 : 1) / 16) * 16;
  return machine.withScratch(machine.threads * floats * 4, (scratch) => body(scratch, floats));
}

/** Work of one row and head on average, in floats touched at the pace of simpler kernels. */
export function workOf({ starts, window = Infinity }: AttentionAttributes, headWidth: number): number {
  const rows = starts.length - 1;
  const length = starts[rows]! / rows;
  return (length * Math.min(length, window) * headWidth) / 8;
}

export const causalAttention: FusedKernel<"TokensiftCausalAttention"> = ({ q, k, v }, attrs, backend) => {
  const { starts, heads, keyValueHeads, promptKeys } = attrs;
  const [N, width] = q.shape;
  const rows = starts.length - 1;
  const { machine } = backend;
  const [output, logSumExp] = [backend.empty([N, width]), backend.empty([N, heads])];
  const places = [q, k, v, output, logSumExp].map((tensor) => backend.placeOf(tensor));
  const d = width / heads;
  const sizes = [N, heads, keyValueHeads, d, ...factsOf(attrs, d), windowOf(attrs)];
  const attend = (keysAt: number, massAt: number): void =>
    withHostArrays(backend, [starts], (startsAt) => {
      withAttentionScratch(backend, attrs, d, (scratch, floats) => {
        machine.run(
          "attention",
          rows * heads,
          workOf(attrs, d),
          ...places,
          keysAt,
          massAt,
          startsAt,
          ...sizes,
          scratch,
          floats,
        );
      });
    });
  if (promptKeys === undefined) {
    attend(0, 0);
    return [output, logSumExp];
  }
  const promptMass = backend.empty([N]);
  withHostArrays(backend, [Float32Array.from(promptKeys)], (keysAt) => {
    machine.withScratch(heads * N * 4, (massAt) => {
      attend(keysAt, massAt);
      machine.run("meanOverHeads", N, heads, massAt, promptMass.place, N, heads);
    });
  });
  return [output, logSumExp, promptMass];
};

export const causalAttentionGradient: FusedKernel<"TokensiftCausalAttentionGrad"> = (inputs, attrs, backend) => {
  const { q, k, v, output, logSumExp, dy } = inputs;
  const { starts, heads, keyValueHeads } = attrs;
  const gradients = [q, k, v].map((tensor) => backend.empty(tensor.shape));
  const places = [q, k, v, output, logSumExp, dy, ...gradients].map((tensor) => backend.placeOf(tensor));
  const headWidth = q.shape[1] / heads;
  const tasks = (starts.length - 1) * keyValueHeads;
  const sizes = [heads, keyValueHeads, headWidth, ...factsOf(attrs, headWidth), windowOf(attrs)];
  withHostArrays(backend, [starts], (startsAt) => {
    withAttentionScratch(backend, attrs, headWidth, (scratch, floats) => {
      backend.machine.run(
        "attentionGradient",
        tasks,
        workOf(attrs, headWidth),
        ...places,
        startsAt,
        ...sizes,
        scratch,
        floats,
      );
    });
  });
  return gradients;
};

export const cachedAttention: FusedKernel<"TokensiftCachedAttention"> = ({ q, keys, values }, attrs, backend) => {
  const { rows, firsts, lengths, heads, keyValueHeads } = attrs;
  const { machine } = backend;
  const capacity = keys.shape[1];
  const output = backend.empty(q.shape);
  const places = [q, keys, values, output].map((tensor) => backend.placeOf(tensor));
  const weight = (2 * capacity * q.shape[1]) / keyValueHeads;
  const d = q.shape[1] / heads;
  const sizes = [capacity, heads, keyValueHeads, d, ...factsOf(attrs, d)];
  withHostArrays(backend, [rows, firsts, lengths], (...arrays) => {
    machine.withScratch(machine.threads * heads * capacity * 4, (scratch) => {
      machine.run("cachedAttention", rows.length * keyValueHeads, weight, ...places, ...arrays, ...sizes, scratch);
    });
  });
  return [output];
};

export const raggedAttention: FusedKernel<"TokensiftRaggedAttention"> = ({ q, keys, values }, attrs, backend) => {
  const { firsts, lengths, heads, keyValueHeads } = attrs;
  const { machine } = backend;
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const output = backend.empty(q.shape);
  const places = [q, keys, values, output].map((tensor) => backend.placeOf(tensor));
  const weight = (2 * longest * q.shape[1]) / keyValueHeads;
  const d = q.shape[1] / heads;
  const sizes = [longest, heads, keyValueHeads, d, ...factsOf(attrs, d)];
  withHostArrays(backend, [firsts, lengths], (...arrays) => {
    machine.withScratch((machine.threads * heads * longest * 4) / keyValueHeads, (scratch) => {
      machine.run("raggedAttention", lengths.length, weight, ...places, ...arrays, ...sizes, scratch);
    });
  });
  return [output];
};

export const cacheWrite: FusedKernel<"TokensiftCacheWrite"> = ({ cache, entries }, { positions, rows }, backend) => {
  const [, capacity, width] = cache.shape as [number, number, number];
  const [to, from] = [writable(backend, cache), backend.placeOf(entries)];
  const places = positions.map((position, i) => rows[i]! * capacity + position);
  withHostArrays(backend, [places], (placesAt) => {
    backend.machine.run("scatterRows", places.length, 2 * width, from, placesAt, to, width);
  });
  return [];
};
