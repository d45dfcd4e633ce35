import { runAcross } from "./across.ts";
import type { Arena, ArenaLimits } from "./arena.ts";
import { createArena, memoryOf, offsetOf } from "./arena.ts";
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
   * Its operands may lie in different memories: see across.ts.
   * @param weight floats that one unit reads and writes
   */
  run(kernel: string, units: number, weight: number, ...values: number[]): void;
  /** The same in one memory; the values are byte offsets in it, where they are places. */
  runIn(memory: number, kernel: string, units: number, weight: number, ...values: number[]): void;
  /** Calls a kernel of the first memory once, on this thread. */
  call(kernel: string, ...values: number[]): number;
  /** By which tables of products name a place: its address in the process, where a library multiplies. */
  addressOf(place: number): number;
  /** Lends a block of the arena for the time of `body`. */
  withScratch<T>(bytes: number, body: (place: number) => T): T;
  /** Lends a block of one memory. */
  withScratchIn<T>(memory: number, bytes: number, body: (place: number) => T): T;
  dispose(): void;
}

/** Floats that a task should touch at least: some 30 microseconds of work. */
const TASK = 2 ** 16;
/** Tasks to a thread, so that a thread that lost its core for a while costs little. */
const TASKS_PER_THREAD = 4;

/**
 * @param limits of the arena
 * @throws UserError where the matrix product asked for does not work here
 */
export function createMachine(threads: number, matmul: MatmulChoice, limits?: ArenaLimits): Machine {
  const { provider, warning } = chooseProvider(matmul);
  const arena = createArena(limits, (memory) => open(memory));
  const module = compileKernels();
  const first = instantiateKernels(module, arena, 0, threads, provider);
  const addresses = [first.home.address];
  const pool = startPool(threads, arena, module, first, provider?.worker);

  function open(memory: number): void {
    const { home, kernels } = instantiateKernels(module, arena, memory, threads, provider);
    addresses.push(home.address);
    pool.add(home, kernels);
  }

  /** Units to a task: heavy units one by one, light ones so that a task is worth handing out. */
  const chunkOf = (units: number, weight: number): number =>
    weight >= TASK ? 1 : Math.max(Math.ceil(TASK / weight), Math.ceil(units / (TASKS_PER_THREAD * threads)));

  function runIn(memory: number, name: string, units: number, weight: number, ...values: number[]): void {
    if (units > 0) pool.run(memory, name, values, units, chunkOf(units, weight));
  }

  function lend<T>(place: number, body: (place: number) => T): T {
    try {
      return body(place);
    } finally {
      arena.free(place);
    }
  }

  return {
    arena,
    threads,
    provider: provider === undefined ? "wasm (SIMD, built in)" : `${provider.name} ${provider.version}`,
    warning,
    ready: pool.ready,
    inRowBlocks: false,
    run(name, units, weight, ...values) {
      if (!(units > 0)) return;
      if (arena.memories.length === 1) pool.run(0, name, values, units, chunkOf(units, weight));
      else
        runAcross(arena, name, values, units, (memory, local, count) => runIn(memory, name, count, weight, ...local));
    },
    runIn,
    call: (name, ...values) => first.kernels[name]!(...values),
    addressOf: (place) => addresses[memoryOf(place)]! + offsetOf(place),
    withScratch: (bytes, body) => lend(arena.allocate(bytes), body),
    withScratchIn: (memory, bytes, body) => lend(arena.allocateIn(memory, bytes) ?? arena.refuse(bytes), body),
    dispose() {
      pool.dispose();
      provider?.dispose();
    },
  };
}
