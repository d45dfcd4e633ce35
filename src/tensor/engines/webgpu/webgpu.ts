import { existsSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../../system/errors.ts";
import type { Availability, Computes, EngineInfo } from "../engine.ts";
import { installCommand, isInstalled, versionOf } from "../packages.ts";
import { registerShaders } from "./shaders/index.ts";

/** The name under which TensorFlow.js registers its WebGPU kernels. */
const BACKEND = "webgpu";
const PACKAGES = ["webgpu", "@tensorflow/tfjs-backend-webgpu"];
const WHERE = "engine webgpu";
const FIX_DRIVER =
  "WebGPU needs a GPU driver: on Linux a Vulkan driver and the Vulkan loader (libvulkan1; in a container also the " +
  "graphics capability of the NVIDIA runtime). `engine: cpu` runs everywhere.";

/** The device that computes now. */
let running: GPUDevice | undefined;

/** Whether a GPU adapter answers. Software adapters count, with `gpu` false. */
export async function probeWebgpuEngine(): Promise<Availability> {
  const missing = PACKAGES.filter((name) => !isInstalled(name));
  if (missing.length > 0)
    return {
      available: false,
      reason: `${missing.join(" and ")} not installed`,
      fix: installCommand(missing),
    };
  if (!mayHaveAdapter()) return { available: false, reason: "no GPU driver on this machine", fix: FIX_DRIVER };
  try {
    const adapter = await requestAdapter(await createGpu());
    if (adapter === null) return { available: false, reason: "no GPU adapter found", fix: FIX_DRIVER };
    return { available: true, ...describe(adapter.info) };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error), fix: FIX_DRIVER };
  }
}

/**
 * Starts TensorFlow.js' WebGPU backend on Dawn and makes it current.
 * @throws UserError where a package or the GPU adapter is missing, with the fix
 */
export async function startWebgpuEngine(): Promise<EngineInfo> {
  const found = await probeWebgpuEngine();
  if (!found.available) throw new UserError("engine-unavailable", found.reason, { where: WHERE, fix: found.fix });
  releaseWebgpuEngine();
  const gpu = await createGpu();
  const adapter = await requestAdapter(gpu);
  if (adapter === null)
    throw new UserError("engine-unavailable", "the GPU adapter went away", { where: WHERE, fix: FIX_DRIVER });
  // Imported before `navigator.gpu` exists: it then registers its kernels, and leaves the device to us.
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  const { limits, features, info } = adapter;
  const device = await adapter.requestDevice({
    requiredFeatures: features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: {
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  });
  // Dawn frees itself with the GPU object, and what the device still has to answer then reads freed memory: the promise,
  // which Dawn holds, keeps both until the device has ended.
  void device.lost.then(() => [gpu, device]);
  // Dawn only prints such errors, and every later number would be wrong.
  device.addEventListener("uncapturederror", ({ error }) => {
    throw new Error(`the GPU refused an operation: ${error.message}`);
  });
  running = device;
  setNavigatorGpu(gpu);
  tf.registerBackend(BACKEND, () => new WebGPUBackend(device, info));
  registerShaders(BACKEND);
  await tf.setBackend(BACKEND);
  const versions = Object.fromEntries(PACKAGES.map((each) => [each, versionOf(each)]));
  return { name: "webgpu", backend: BACKEND, threads: 0, versions, ...describe(info) };
}

/** Ends the engine: its tensors are gone, and the GPU no longer keeps the process alive. */
export function releaseWebgpuEngine(): void {
  if (running === undefined) return;
  tf.removeBackend(BACKEND);
  running.destroy();
  running = undefined;
  setNavigatorGpu(undefined);
}

/** Dawn for Node. */
async function createGpu(): Promise<GPU> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals); // GPUBufferUsage and its like, which the backend expects
  return create([]);
}

function requestAdapter(gpu: GPU): Promise<GPUAdapter | null> {
  return gpu.requestAdapter({ powerPreference: "high-performance" });
}

/** The backend refuses to start where `navigator.gpu` is missing, though it does not use it. Node 20 has no navigator. */
function setNavigatorGpu(gpu: GPU | undefined): void {
  const scope = globalThis as { navigator?: object };
  if (scope.navigator === undefined) Object.defineProperty(scope, "navigator", { value: {}, configurable: true });
  if (gpu === undefined) Reflect.deleteProperty(scope.navigator!, "gpu");
  else Object.defineProperty(scope.navigator!, "gpu", { value: gpu, configurable: true });
}

function describe(info: GPUAdapterInfo): Computes {
  const device = info.description || info.device || info.architecture || info.vendor || "unnamed adapter";
  const software = /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info.architecture} ${info.device} ${device}`);
  const gpu = !software && !info.isFallbackAdapter;
  const warning = `${device} is a software adapter: right results, but slower than engine cpu`;
  return { device, gpu, provider: `Dawn ${versionOf("webgpu")}`, ...(gpu ? {} : { warning }) };
}

/** Dawn prints warnings where there is no driver at all; on Linux that can be seen beforehand. */
function mayHaveAdapter(): boolean {
  if (process.platform !== "linux" || process.env.VK_ICD_FILENAMES || process.env.VK_DRIVER_FILES) return true;
  return ["/dev/dri", "/dev/nvidiactl", "/dev/dxg", "/dev/mali0", "/dev/kgsl-3d0"].some((path) => existsSync(path));
}
