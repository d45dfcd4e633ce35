import type { Arena } from "./arena.ts";
import { createArena } from "./arena.ts";
import type { MatmulChoice } from "./matmul/choose.ts";
import { chooseProvider } from "./matmul/choose.ts";
import { startPool } from "./pool.ts";
import { compileKernels, instantiateKernels } from "./wasm.ts";

/** Memory, kernels, matrix products and threads: everything the engine computes with. */
export interface Machine {
  readonly arena: Arena;
  readonly threads: number;
  /** Who multiplies matrices, for people to read. */
  readonly provider: string;
  /** Why that is not the faster one, where it was wanted. */
  readonly warning: string | undefined;
  /** Resolves when all threads take part. */
  readonly ready: Promise<void>;
  /** Whether products are computed in blocks of rows: see `inRowBlocks`. */
  inRowBlocks: boolean;
  /**
   * Runs a kernel over the range `0 .. units`, which are its last two parameters, on all threads where it is worth it.
   * @param weight floats that one unit reads and writes
   */
  run(kernel: string, units: number, weight: number, ...values: number[]): void;
  /** Calls a kernel once, on this thread. */
  call(kernel: string, ...values: number[]): number;
  /** Lends a block of the arena for the time of `body`. */
  withScratch<T>(bytes: number, body: (offset: number) => T): T;
  dispose(): void;
}

/** Floats that a task should touch at least: some 30 microseconds of work. */
const TASK = 2 ** 16;
/** Tasks to a thread, so that a thread that lost its core for a while costs little. */
const TASKS_PER_THREAD = 4;

/** @throws UserError where the matrix product asked for does not work here */
export function createMachine(threads: number, matmul: MatmulChoice): Machine {
  const arena = createArena();
  const { provider, warning } = chooseProvider(matmul, arena);
  const module = compileKernels();
  const kernels = instantiateKernels(module, arena, provider?.calls);
  const pool = startPool(threads, arena, module, kernels, provider?.worker);

  /** Units to a task: heavy units one by one, light ones so that a task is worth handing out. */
  const chunkOf = (units: number, weight: number): number =>
    weight >= TASK ? 1 : Math.max(Math.ceil(TASK / weight), Math.ceil(units / (TASKS_PER_THREAD * threads)));

  return {
    arena,
    threads,
    provider: provider === undefined ? "wasm (SIMD, built in)" : `${provider.name} ${provider.version}`,
    warning,
    ready: pool.ready,
    inRowBlocks: false,
    run(name, units, weight, ...values) {
      if (units > 0) pool.run(name, values, units, chunkOf(units, weight));
    },
    call: (name, ...values) => kernels[name]!(...values),
    withScratch(bytes, body) {
      const offset = arena.allocate(bytes);
      try {
        return body(offset);
      } finally {
        arena.free(offset);
      }
    },
    dispose() {
      pool.dispose();
      provider?.dispose();
    },
  };
}
