import { UserError } from "../../../../errors.ts";
import type { Arena } from "../arena.ts";
import { loadOnnxRuntime } from "./onnxRuntime.ts";
import type { MatmulProvider } from "./provider.ts";

/** Who multiplies matrices: ONNX Runtime where it works and the engine's own product elsewhere, or one by name. */
export type MatmulChoice = "auto" | "onnxruntime" | "wasm";

/**
 * @returns the library, none where the engine's own product is to be used, and why there is none where one was wanted
 * @throws UserError where ONNX Runtime was asked for by name and does not work
 */
export function chooseProvider(
  choice: MatmulChoice,
  arena: Arena,
  load: (arena: Arena) => MatmulProvider = loadOnnxRuntime,
): { provider?: MatmulProvider; warning?: string } {
  if (choice === "wasm") return {};
  try {
    const provider = load(arena);
    checkProduct(provider, arena);
    return { provider };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    const fix =
      "Install the optional packages koffi and onnxruntime-node: npm install --ignore-scripts (their scripts are not " +
      "needed; where one fails, npm drops the package).";
    if (choice === "onnxruntime")
      throw new UserError(`ONNX Runtime cannot be used here: ${reason}`, { where: "matmul", fix, cause: error });
    return { warning: `ONNX Runtime is not used, matrix products are slower: ${reason}. ${fix}` };
  }
}

/** @throws Error unless the provider computes 2 * 3 + 2 * 5 rightly, the second product added to the first */
function checkProduct({ name, product }: MatmulProvider, arena: Arena): void {
  const at = arena.allocate(4 * 4);
  const numbers = arena.float32(at, 4);
  try {
    numbers.set([2, 3, 5, 7]);
    product(0, 0, 1, 1, 1, at, at + 4, 0, at + 12);
    product(0, 0, 1, 1, 1, at, at + 8, 1, at + 12);
    if (numbers[3] !== 16) throw new Error(`${name} says that 2 * 3 + 2 * 5 is ${numbers[3]}`);
  } finally {
    arena.free(at);
  }
}
