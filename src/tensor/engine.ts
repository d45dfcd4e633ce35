import * as tf from "@tensorflow/tfjs-core";
import type { Availability, EngineInfo, EngineName, EngineOptions } from "./engines/engine.ts";
import { engineNames } from "./engines/engine.ts";
import { releaseCpuEngine, startCpuEngine } from "./engines/cpu/index.ts";
import { versionOf } from "./engines/packages.ts";
import { processorName } from "./engines/processor.ts";
import { probeTensorflowEngine, startTensorflowEngine } from "./engines/tensorflow/index.ts";
import { probeWebgpuEngine, releaseWebgpuEngine, startWebgpuEngine } from "./engines/webgpu/index.ts";

export type { EngineInfo, EngineName, EngineOptions } from "./engines/engine.ts";

/** One engine as `doctor` shows it. */
export type EngineListing = { name: EngineName; /** What `auto` would take. */ chosen: boolean } & Availability;

let current: EngineInfo | undefined;

/**
 * Starts an engine and makes it the one all tensors live on. `auto` takes TensorFlow if it has a GPU, else WebGPU if
 * there is a real GPU, else the cpu engine. An engine in use before is released: its tensors are gone.
 * @throws UserError where the engine asked for cannot run here, with the reason and the fix
 */
export async function useEngine(choice: "auto" | EngineName, options: EngineOptions = {}): Promise<EngineInfo> {
  releaseEngine();
  tf.enableProdMode(); // no advice to install other backends
  current = await start(choice === "auto" ? await bestEngine() : choice, options);
  return current;
}

/** Every engine: whether it can run here, on what, and otherwise why not and how to mend it. */
export async function listEngines(): Promise<EngineListing[]> {
  const best = await bestEngine();
  const listings: EngineListing[] = [];
  for (const name of engineNames) listings.push({ name, chosen: name === best, ...(await probe(name)) });
  return listings;
}

/** Ends the engine in use, so that nothing of it keeps the process alive. Its tensors are gone. */
export function releaseEngine(): void {
  if (current?.name === "webgpu") releaseWebgpuEngine();
  if (current?.name === "cpu") releaseCpuEngine();
  current = undefined;
}

async function bestEngine(): Promise<EngineName> {
  for (const name of ["tensorflow", "webgpu"] as const) {
    const found = await probe(name);
    if (found.available && found.gpu) return name;
  }
  return "cpu";
}

async function probe(name: EngineName): Promise<Availability> {
  if (name === "tensorflow") return probeTensorflowEngine();
  if (name === "webgpu") return probeWebgpuEngine();
  return { available: true, device: processorName(), gpu: false, provider: "WebAssembly and ONNX Runtime" };
}

async function start(name: EngineName, options: EngineOptions): Promise<EngineInfo> {
  if (name === "tensorflow") return startTensorflowEngine();
  if (name === "webgpu") return startWebgpuEngine();
  const { backend, provider, threads, warning } = await startCpuEngine(options);
  const versions = { "@tensorflow/tfjs-core": tf.version_core, "onnxruntime-node": versionOf("onnxruntime-node") };
  const device = processorName();
  return {
    name,
    backend,
    provider,
    threads,
    device,
    gpu: false,
    versions,
    ...(warning === undefined ? {} : { warning }),
  };
}
