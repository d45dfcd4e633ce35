import type { Arena } from "./arena.ts";
import { KERNELS } from "./kernels.wasm.ts";
import type { Product } from "./matmul/provider.ts";

/** A kernel: byte offsets, sizes and factors in; most take a range `from, to` of their units as the last two. */
export type Kernel = (...values: number[]) => number;

export function compileKernels(): WebAssembly.Module {
  return new WebAssembly.Module(Buffer.from(KERNELS, "base64"));
}

/** The kernels for this thread, on the arena's memory; `library` is the product they call for all but small ones. */
export function instantiateKernels(
  module: WebAssembly.Module,
  arena: Arena,
  library: Product | undefined,
): Record<string, Kernel> {
  const none = (): never => {
    throw new Error("There is no library for matrix products");
  };
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory, product: library ?? none } });
  const kernels = instance.exports as Record<string, Kernel>;
  kernels["setProductScratch"]!(arena.allocate(kernels["productScratchBytes"]!()));
  kernels["useLibrary"]!(library === undefined ? 0 : 1);
  return kernels;
}
