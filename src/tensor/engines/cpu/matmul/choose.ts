import { UserError } from "../../../../errors.ts";
import type { Arena } from "../arena.ts";
import { onnxRuntimeProvider } from "./onnxRuntime.ts";
import type { OnnxRuntimeApi } from "./onnxRuntimeApi.ts";
import { loadOnnxRuntimeApi } from "./onnxRuntimeApi.ts";
import type { MatmulProvider } from "./provider.ts";

/** Who multiplies matrices: ONNX Runtime where it works and the built-in product elsewhere, or one by name. */
export type MatmulChoice = "auto" | "onnxruntime" | "wasm";

/**
 * @returns the provider, and why it is not the faster one where that was wanted but does not work
 * @throws UserError where ONNX Runtime was asked for by name and does not work
 */
export function chooseProvider(
  choice: MatmulChoice,
  builtIn: MatmulProvider,
  { arena, threads, load = loadOnnxRuntimeApi }: { arena: Arena; threads: number; load?: () => OnnxRuntimeApi },
): { provider: MatmulProvider; warning?: string } {
  if (choice === "wasm") return { provider: builtIn };
  try {
    const provider = onnxRuntimeProvider(load(), arena, threads);
    checkProduct(provider, arena);
    return { provider };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    const fix =
      "Install the optional packages koffi and onnxruntime-node (npm install does, unless told to omit optional ones).";
    if (choice === "onnxruntime")
      throw new UserError(`ONNX Runtime cannot be used here: ${reason}`, { where: "matmul", fix, cause: error });
    return { provider: builtIn, warning: `ONNX Runtime is not used, matrix products are slower: ${reason}. ${fix}` };
  }
}

/** @throws Error unless the provider computes 2 * 3 + 2 * 5 rightly, the second product added to the first */
function checkProduct(provider: MatmulProvider, arena: Arena): void {
  const at = arena.allocate(4 * 4);
  const numbers = arena.float32(at, 4);
  try {
    numbers.set([2, 3, 5, 7]);
    provider.sgemm(false, false, 1, 1, 1, 1, at, at + 4, 0, at + 12);
    provider.sgemm(false, false, 1, 1, 1, 1, at, at + 8, 1, at + 12);
    if (numbers[3] !== 16) throw new Error(`${provider.name} says that 2 * 3 + 2 * 5 is ${numbers[3]}`);
  } finally {
    arena.free(at);
  }
}
