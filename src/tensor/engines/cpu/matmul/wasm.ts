import type { Kernel } from "../wasm.ts";
import type { MatmulProvider } from "./provider.ts";

/** The engine's own WebAssembly product: runs everywhere, on one thread. */
export function wasmProvider(kernels: Record<string, Kernel>): MatmulProvider {
  const multiply = kernels["multiply"]!;
  return {
    name: "wasm",
    version: "SIMD, built in",
    sgemm(transA, transB, M, N, K, alpha, a, b, beta, c) {
      multiply(Number(transA), Number(transB), M, N, K, alpha, a, b, beta, c, 0, M);
    },
    dispose() {
      // Nothing of its own to give back.
    },
  };
}
