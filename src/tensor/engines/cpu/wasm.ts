import { readSync } from "node:fs";
import type { Arena } from "./arena.ts";
import { offsetOf } from "./arena.ts";
import { KERNELS } from "./kernels.wasm.ts";
import type { MatmulProvider } from "./matmul/provider.ts";

/** A kernel: byte offsets, sizes and factors in; most take a range `from, to` of their units as the last two. */
export type Kernel = (...values: number[]) => number;

export function compileKernels(): WebAssembly.Module {
  return new WebAssembly.Module(Buffer.from(KERNELS, "base64"));
}

/** Fills bytes of a memory from an open file, by its descriptor. */
export type ReadFile = (file: number, position: number, bytes: number, to: number) => void;

/** The text of this function is sent to worker threads: it must not use anything from outside. */
export function fileReads(memory: WebAssembly.Memory, read: typeof readSync): ReadFile {
  return (file, position, bytes, to) => {
    for (let done = 0; done < bytes;) {
      const target = new Uint8Array(memory.buffer, to + done, bytes - done);
      const length = read(file, target, 0, bytes - done, position + done);
      if (length === 0) throw new Error("A file ended early that weights are read from");
      done += length;
    }
  };
}

/** A memory, and what the kernels in it have to know. */
export interface Home {
  memory: WebAssembly.Memory;
  /** Where the memory begins, by which the kernels name its bytes to the library. */
  address: number;
  /** Byte offset of the packing space of all threads, one after the other. */
  productScratch: number;
}

/**
 * The kernels for the main thread in one memory of the arena, out of which packing space is cut for all threads.
 * `library` computes what is not small.
 */
export function instantiateKernels(
  module: WebAssembly.Module,
  arena: Arena,
  memory: number,
  threads: number,
  library?: Pick<MatmulProvider, "calls" | "addressOf">,
): { home: Home; kernels: Record<string, Kernel> } {
  const none = (): never => {
    throw new Error("There is no library that computes this");
  };
  const object = arena.memories[memory]!;
  const { product = none, softmax = none } = library?.calls ?? {};
  const instance = new WebAssembly.Instance(module, {
    env: { memory: object, product, softmax, readFile: fileReads(object, readSync) },
  });
  const kernels = instance.exports as Record<string, Kernel>;
  const bytes = threads * kernels["productScratchBytes"]!();
  const scratch = arena.allocateIn(memory, bytes) ?? arena.refuse(bytes);
  const start = scratch - offsetOf(scratch);
  const address = library?.addressOf(arena.uint8(start, 1)) ?? start;
  kernels["setAddress"]!(address);
  kernels["setProductScratch"]!(offsetOf(scratch));
  kernels["useLibrary"]!(Number(product !== none), Number(softmax !== none));
  return { home: { memory: object, address, productScratch: offsetOf(scratch) }, kernels };
}
