import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import type { ArenaLimits, ArenaStatistics } from "./arena.ts";
import { BACKEND, CpuBackend } from "./backend.ts";
import { createMachine } from "./machine.ts";
import type { MatmulChoice } from "./matmul/choose.ts";
import { registerKernels } from "./register.ts";

export interface CpuEngineOptions {
  /** Threads to compute with; all cores by default. */
  threads?: number;
  matmul?: MatmulChoice;
  /** Of the memory that tensors lie in; by default that of the machine. */
  limits?: ArenaLimits;
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
 * @throws UserError where `matmul` names a library that does not work here
 */
export async function startCpuEngine({ threads, matmul = "auto", limits }: CpuEngineOptions = {}): Promise<CpuEngine> {
  releaseCpuEngine();
  const machine = createMachine(Math.max(1, threads ?? availableParallelism()), matmul, limits);
  await machine.ready;
  registerKernels();
  tf.registerBackend(BACKEND, () => new CpuBackend(machine));
  await tf.setBackend(BACKEND);
  const { provider, arena, warning } = machine;
  return {
    backend: BACKEND,
    provider,
    threads: machine.threads,
    ...(warning === undefined ? {} : { warning }),
    memory: () => arena.statistics(),
  };
}

/** Ends the cpu engine: its tensors are gone, its native sessions closed. */
export function releaseCpuEngine(): void {
  const { registry, registryFactory } = tf.engine();
  if (registry[BACKEND] !== undefined || registryFactory[BACKEND] !== undefined) tf.removeBackend(BACKEND);
}
