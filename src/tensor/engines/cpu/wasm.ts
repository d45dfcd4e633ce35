import type { Arena } from "./arena.ts";
import { KERNELS } from "./kernels.wasm.ts";

/** A kernel: byte offsets, sizes and factors in, most often with a range `from, to` of its rows as the last two. */
export type Kernel = (...values: number[]) => number;

/**
 * The matrix product the kernels call back for (attention, log-probabilities):
 * `C = op(A) op(B) + beta C`, single precision, dense, byte offsets.
 */
export type ProductImport = (
  transA: number,
  transB: number,
  M: number,
  N: number,
  K: number,
  a: number,
  b: number,
  beta: number,
  c: number,
) => void;

/** Compiles the WebAssembly kernels on the arena's memory and gives them their scratch space. */
export function instantiateKernels(arena: Arena, product: ProductImport): Record<string, Kernel> {
  const module = new WebAssembly.Module(Buffer.from(KERNELS, "base64"));
  const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory, product } });
  const kernels = instance.exports as Record<string, Kernel>;
  kernels["setProductScratch"]!(arena.allocate(kernels["productScratchBytes"]!()));
  return kernels;
}
