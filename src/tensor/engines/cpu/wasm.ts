import type { Arena } from "./arena.ts";
import { KERNELS } from "./kernels.wasm.ts";
import type { LibraryCalls } from "./matmul/provider.ts";

/** A kernel: byte offsets, sizes and factors in; most take a range `from, to` of their units as the last two. */
export type Kernel = (...values: number[]) => number;

export function compileKernels(): WebAssembly.Module {
  return new WebAssembly.Module(Buffer.from(KERNELS, "base64"));
}

/** The kernels for this thread, on the arena's memory; `library` computes what is not small. */
export function instantiateKernels(
  module: WebAssembly.Module,
  arena: Arena,
  library: LibraryCalls | undefined,
): Record<string, Kernel> {
  const none = (): never => {
    throw new Error("There is no library that computes this");
  };
  const { product = none, softmax = none } = library ?? {};
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory, product, softmax } });
  const kernels = instance.exports as Record<string, Kernel>;
  kernels["setProductScratch"]!(arena.allocate(kernels["productScratchBytes"]!()));
  kernels["useLibrary"]!(Number(product !== none), Number(softmax !== none));
  return kernels;
}
