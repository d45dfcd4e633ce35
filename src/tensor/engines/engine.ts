import type { MatmulChoice } from "./cpu/matmul/choose.ts";

/** What a model's tensor operations can run on. */
export type EngineName = "cpu" | "webgpu" | "tensorflow";

export const engineNames: readonly EngineName[] = ["tensorflow", "webgpu", "cpu"];

/** Settings of an engine that is started. */
export interface EngineOptions {
  /** Threads of the cpu engine; all cores by default. */
  threads?: number;
  /** Who multiplies matrices on the cpu engine. */
  matmul?: MatmulChoice;
}

/** A running engine, for people and reports to read. */
export interface EngineInfo {
  name: EngineName;
  /** TensorFlow.js' name of the backend. */
  backend: string;
  /** Who does the arithmetic, with its version; for example "onnxruntime 1.30.0 (C API)". */
  provider: string;
  /** Threads that compute; 0 where a GPU does, or where the library decides. */
  threads: number;
  /** The hardware: "CPU" with its model, or the GPU's name. */
  device: string;
  gpu: boolean;
  /** Versions of the packages involved. */
  versions: Record<string, string>;
  /** What did not work as wanted, in a sentence. */
  warning?: string;
}

/** On what an engine computes, and by what. */
export type Computes = Pick<EngineInfo, "device" | "gpu" | "provider" | "warning">;

/** Whether an engine can run on this machine. */
export type Availability = ({ available: true } & Computes) | { available: false; reason: string; fix: string };
