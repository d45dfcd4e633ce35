import type { Benchmark } from "./harness/benchmark.ts";

/** Every benchmark by the name it has on the command line; loaded when it is wanted. */
export const benchmarks: Readonly<Record<string, () => Promise<Benchmark>>> = {
  step: async () => (await import("./step.ts")).step,
  stored: async () => (await import("./stored.ts")).stored,
  trunk: async () => (await import("./trunk.ts")).trunk,
  lora: async () => (await import("./lora.ts")).lora,
  sstoken: async () => (await import("./sstoken.ts")).ssToken,
  selection: async () => (await import("./selection.ts")).selection,
  generate: async () => (await import("./generate.ts")).generate,
  memory: async () => (await import("./memory.ts")).memory,
  loader: async () => (await import("./loader.ts")).loader,
  tokenize: async () => (await import("./tokenize.ts")).tokenize,
  ops: async () => (await import("./ops.ts")).ops,
};
