import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import type { Arena, ArenaStatistics } from "./arena.ts";
import { BACKEND, CpuBackend } from "./backend.ts";
import type { Machine } from "./machine.ts";
import { createMachine } from "./machine.ts";
import { onnxRuntimeProvider } from "./matmul/onnxRuntime.ts";
import { loadOnnxRuntimeApi } from "./matmul/onnxRuntimeApi.ts";
import type { MatmulProvider } from "./matmul/provider.ts";
import { registerKernels } from "./register.ts";

export interface CpuEngineOptions {
  /** Threads to compute with; all cores by default. */
  threads?: number;
  /** Who multiplies matrices: ONNX Runtime where it loads (`auto`), or one by name. */
  matmul?: "auto" | "onnxruntime" | "wasm";
}

/** A running cpu engine, for people and reports to read. */
export interface CpuEngine {
  backend: typeof BACKEND;
  /** For example "onnxruntime 1.30.0 (C API)". */
  provider: string;
  threads: number;
  /** Why ONNX Runtime is not used, where it was wanted and did not work. */
  warning?: string;
  memory(): ArenaStatistics;
}

/**
 * Starts the cpu engine and makes it TensorFlow.js' current backend; an engine started before is released first.
 * @throws Error where `matmul` is "onnxruntime" and that does not work here
 */
export async function startCpuEngine({ threads, matmul = "auto" }: CpuEngineOptions = {}): Promise<CpuEngine> {
  releaseCpuEngine();
  let warning: string | undefined;
  const machine = createMachine(Math.max(1, threads ?? availableParallelism()), (arena, builtIn) => {
    if (matmul === "wasm") return builtIn;
    const found = tryOnnxRuntime(arena, Math.max(1, threads ?? availableParallelism()));
    if (!(found instanceof Error)) return found;
    if (matmul === "onnxruntime") throw found;
    warning = `ONNX Runtime is not used: ${found.message}`;
    return builtIn;
  });
  registerKernels();
  tf.registerBackend(BACKEND, () => new CpuBackend(machine));
  await tf.setBackend(BACKEND);
  const { provider, arena } = machine;
  return {
    backend: BACKEND,
    provider: `${provider.name} ${provider.version}`,
    threads: machine.threads,
    ...(warning === undefined ? {} : { warning }),
    memory: () => arena.statistics(),
  };
}

/** Ends the cpu engine: its tensors are gone, its native sessions closed. */
export function releaseCpuEngine(): void {
  if (tf.engine().registry[BACKEND] !== undefined || tf.engine().registryFactory[BACKEND] !== undefined)
    tf.removeBackend(BACKEND);
}

/** The provider, after it has multiplied two small matrices rightly; otherwise the reason it cannot be used. */
function tryOnnxRuntime(arena: Arena, threads: number): MatmulProvider | Error {
  try {
    const provider = onnxRuntimeProvider(loadOnnxRuntimeApi(), arena, threads);
    const at = arena.allocate(4 * 4);
    const numbers = arena.float32(at, 4);
    numbers.set([2, 3, 5, 7]);
    provider.sgemm(false, false, 1, 1, 1, 1, at, at + 4, 0, at + 12);
    provider.sgemm(false, false, 1, 1, 1, 1, at, at + 8, 1, at + 12);
    const right = numbers[3] === 2 * 3 + 2 * 5;
    arena.free(at);
    return right ? provider : new Error("it multiplied two numbers wrongly");
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
