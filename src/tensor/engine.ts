import * as tf from "@tensorflow/tfjs-core";
import type { Availability, EngineInfo, EngineName, EngineOptions } from "./engines/engine.ts";
import { engineNames } from "./engines/engine.ts";
import { releaseCpuEngine, startCpuEngine } from "./engines/cpu/index.ts";
import { installCommand, isInstalled, versionOf } from "./engines/packages.ts";
import { processorName } from "./engines/processor.ts";
import { probeTensorflowEngine, startTensorflowEngine } from "./engines/tensorflow/index.ts";
import { probeWebgpuEngine, releaseWebgpuEngine, startWebgpuEngine } from "./engines/webgpu/index.ts";

export type { EngineInfo, EngineName, EngineOptions } from "./engines/engine.ts";

/** One engine as `doctor` shows it. */
export type EngineListing = { name: EngineName; /** What `auto` would take. */ chosen: boolean } & Availability;

/** What the cpu engine multiplies matrices with, where both are there. */
const MATMUL_PACKAGES = ["koffi", "onnxruntime-node"];

let current: EngineInfo | undefined;

/**
 * Starts an engine and makes it the one all tensors live on. `auto` takes TensorFlow if it has a GPU, else WebGPU if
 * there is a real GPU, else the cpu engine. An engine in use before is released: its tensors are gone.
 * @throws UserError where the engine asked for cannot run here, with the reason and the fix
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 *
 * const { name } = await useEngine("cpu", { threads: 2 });
 * name; //=> "cpu"
 * releaseEngine();
 */
export async function useEngine(choice: "auto" | EngineName, options: EngineOptions = {}): Promise<EngineInfo> {
  releaseEngine();
  tf.enableProdMode(); // no advice to install other backends
  current = await start(choice === "auto" ? await bestEngine() : choice, options);
  return current;
}

/** Every engine: whether it can run here, on what, and otherwise why not and how to mend it. */
export async function listEngines(): Promise<EngineListing[]> {
  const found: [EngineName, Availability][] = [];
  for (const name of engineNames) found.push([name, await probe(name)]);
  const best = found.find(([, engine]) => engine.available && engine.gpu)?.[0] ?? "cpu";
  return found.map(([name, engine]) => ({ name, chosen: name === best, ...engine }));
}

/** An engine in one line: "cpu, onnxruntime 1.30.0 (C API), 2 threads, AMD EPYC". */
export function engineText({ name, provider, threads, device }: EngineInfo): string {
  const workers = threads === 0 ? [] : [`${threads} ${threads === 1 ? "thread" : "threads"}`];
  return [name, provider, ...workers, device].join(", ");
}

/**
 * Ends the engine in use, so that nothing of it keeps the process alive. Its tensors are gone.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * model.dispose();
 * releaseEngine(); // the process can end now
 */
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
  const missing = MATMUL_PACKAGES.filter((each) => !isInstalled(each));
  const computes = { available: true, device: processorName(), gpu: false } as const;
  if (missing.length === 0)
    return { ...computes, provider: `WebAssembly and onnxruntime ${versionOf("onnxruntime-node")}` };
  const warning = `Faster with ${missing.join(" and ")}: ${installCommand(missing)}`;
  return { ...computes, provider: "WebAssembly", warning };
}

async function start(name: EngineName, options: EngineOptions): Promise<EngineInfo> {
  if (name === "tensorflow") return startTensorflowEngine();
  if (name === "webgpu") return startWebgpuEngine();
  const { backend, provider, threads, warning } = await startCpuEngine(options);
  const libraries = MATMUL_PACKAGES.filter(isInstalled).map((each) => [each, versionOf(each)] as const);
  const versions = { "@tensorflow/tfjs-core": tf.version_core, ...Object.fromEntries(libraries) };
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
