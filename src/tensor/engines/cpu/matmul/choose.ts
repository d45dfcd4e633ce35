import { UserError } from "../../../../system/errors.ts";
import { loadBlas } from "./blas.ts";
import { loadOnnxRuntime } from "./onnx-runtime.ts";
import { installCommand } from "../../packages.ts";
import type { MatmulProvider } from "./provider.ts";

/**
 * Who multiplies matrices: ONNX Runtime or a BLAS, whichever works and is clearly faster, and the engine's own product
 * where neither works; or one by name.
 */
export type MatmulChoice = "auto" | LibraryName | "wasm";
type LibraryName = "onnxruntime" | "blas";
type Loader = () => MatmulProvider;

const loaders: Record<LibraryName, Loader> = { onnxruntime: loadOnnxRuntime, blas: loadBlas };
const fixes: Record<LibraryName, string> = {
  onnxruntime:
    `Install the optional packages: ${installCommand(["koffi", "onnxruntime-node"])}` +
    (process.platform === "win32" ? ". Windows also needs Microsoft's Visual C++ Redistributable for them." : ""),
  blas: "Install OpenBLAS, or name a library with cblas_sgemm in the environment variable TOKENSIFT_BLAS.",
};

/**
 * A BLAS must be so much faster than ONNX Runtime to be taken: noise must not change the library from one run to the
 * next, because another library rounds differently.
 */
const clearlyFaster = 1.5;

/**
 * Whether a BLAS can be that much faster: Apple's reaches units that nothing else does, and one that the user names is
 * unknown. OpenBLAS and MKL are not (1.04 and 1.3 times ONNX Runtime's rate on x64), and looking for them takes time.
 */
const mayBeClearlyFaster = (): boolean => process.platform === "darwin" || process.env["TOKENSIFT_BLAS"] !== undefined;

/**
 * @returns the library, none where the engine's own product is to be used, and why there is none where one was wanted
 * @throws UserError where a library was asked for by name and does not work
 */
export function chooseProvider(
  choice: MatmulChoice,
  load: Record<LibraryName, Loader> = loaders,
): { provider?: MatmulProvider; warning?: string } {
  if (choice === "wasm") return {};
  if (choice !== "auto") {
    const found = attempt(load[choice]);
    if ("provider" in found) return found;
    const where = "matmul";
    throw new UserError("engine-unavailable", `${choice} cannot be used here: ${found.reason}`, {
      where,
      fix: fixes[choice],
    });
  }
  const onnx = attempt(load.onnxruntime);
  if ("provider" in onnx && !mayBeClearlyFaster()) return onnx;
  const blas = attempt(load.blas);
  if ("provider" in onnx && "provider" in blas) {
    const [taken, left] = speed(blas.provider) > clearlyFaster * speed(onnx.provider) ? [blas, onnx] : [onnx, blas];
    left.provider.dispose();
    return taken;
  }
  if ("provider" in onnx) {
    const unused = process.env["TOKENSIFT_BLAS"] !== undefined && "reason" in blas;
    return unused ? { ...onnx, warning: `The BLAS that TOKENSIFT_BLAS names is not used: ${blas.reason}` } : onnx;
  }
  if ("provider" in blas) return { ...blas, warning: `ONNX Runtime is not used: ${onnx.reason}` };
  return { warning: `No library multiplies matrices, which is slower: ${onnx.reason}. ${fixes.onnxruntime}` };
}

function attempt(load: Loader): { provider: MatmulProvider } | { reason: string } {
  try {
    const provider = load();
    checkProduct(provider);
    return { provider };
  } catch (error) {
    return { reason: error instanceof Error ? error.message.split("\n")[0]!.replace(/\.$/, "") : String(error) };
  }
}

/** @throws Error unless the provider computes 2 * 3 + 2 * 5 rightly, the second product added to the first */
function checkProduct({ name, addressOf, calls: { product } }: MatmulProvider): void {
  const numbers = Float32Array.of(2, 3, 5, 7);
  const at = addressOf(new Uint8Array(numbers.buffer));
  product(0, 0, 1, 1, 1, at, at + 4, 0, at + 12);
  product(0, 0, 1, 1, 1, at, at + 8, 1, at + 12);
  if (numbers[3] !== 16) throw new Error(`${name} says that 2 * 3 + 2 * 5 is ${numbers[3]}`);
}

/** Products of a middling size in a second, the best of a few. */
function speed({ addressOf, calls: { product } }: MatmulProvider): number {
  const size = 256;
  const numbers = new Float32Array(3 * size * size).fill(0.5, 0, 2 * size * size);
  const at = addressOf(new Uint8Array(numbers.buffer));
  const matrix = (index: number): number => at + index * 4 * size * size;
  let best = Infinity;
  for (let trial = 0; trial < 5; trial++) {
    const begin = performance.now();
    product(0, 1, size, size, size, matrix(0), matrix(1), 0, matrix(2));
    best = Math.min(best, performance.now() - begin);
  }
  return 1000 / best;
}
