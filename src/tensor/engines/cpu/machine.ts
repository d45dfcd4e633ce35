import type { Arena } from "./arena.ts";
import { createArena } from "./arena.ts";
import type { MatmulChoice } from "./matmul/choose.ts";
import { chooseProvider } from "./matmul/choose.ts";
import type { MatmulProvider } from "./matmul/provider.ts";
import { wasmProvider } from "./matmul/wasm.ts";
import type { Kernel } from "./wasm.ts";
import { instantiateKernels } from "./wasm.ts";

/** Products of fewer multiplications than this are done by the WebAssembly kernel: a library call costs as much. */
const SMALL_PRODUCT = 2 ** 16;

/** Memory, kernels and matrix products: everything the engine computes with. */
export interface Machine {
  readonly arena: Arena;
  readonly threads: number;
  readonly provider: MatmulProvider;
  /** Why the provider is not the faster one, where that was wanted. */
  readonly warning: string | undefined;
  /** `C = op(A) op(B) + beta C`, dense, by offset; see `MatmulProvider.sgemm`. */
  multiply(
    transA: boolean,
    transB: boolean,
    M: number,
    N: number,
    K: number,
    a: number,
    b: number,
    beta: number,
    c: number,
  ): void;
  /** Runs a kernel over the range `0 .. count`, which are its last two parameters. */
  run(kernel: string, count: number, ...values: number[]): void;
  /** Calls a kernel once with just these values. */
  call(kernel: string, ...values: number[]): number;
  /** Lends a block of the arena for the time of `body`. */
  withScratch<T>(bytes: number, body: (offset: number) => T): T;
  dispose(): void;
}

/** @throws UserError where the matrix product asked for does not work here */
export function createMachine(threads: number, matmul: MatmulChoice): Machine {
  const arena = createArena();
  const kernels: Record<string, Kernel> = instantiateKernels(arena, (transA, transB, M, N, K, a, b, beta, c) =>
    multiply(transA !== 0, transB !== 0, M, N, K, a >>> 0, b >>> 0, beta, c >>> 0),
  );
  const builtIn = wasmProvider(kernels);
  const { provider, warning } = chooseProvider(matmul, builtIn, { arena, threads });

  const multiply: Machine["multiply"] = (transA, transB, M, N, K, a, b, beta, c) => {
    const able = M * N * K < SMALL_PRODUCT ? builtIn : provider;
    able.sgemm(transA, transB, M, N, K, 1, a, b, beta, c);
  };
  const kernel = (name: string): Kernel => {
    const found = kernels[name];
    if (found === undefined) throw new Error(`There is no kernel named ${name}`);
    return found;
  };

  return {
    arena,
    threads,
    provider,
    warning,
    multiply,
    run(name, count, ...values) {
      kernel(name)(...values, 0, count);
    },
    call: (name, ...values) => kernel(name)(...values),
    withScratch(bytes, body) {
      const offset = arena.allocate(bytes);
      try {
        return body(offset);
      } finally {
        arena.free(offset);
      }
    },
    dispose: () => provider.dispose(),
  };
}
