import { createRequire } from "node:module";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../../system/errors.ts";
import type { Availability, Computes, EngineInfo } from "../engine.ts";
import { isInstalled, versionOf } from "../packages.ts";
import { processorName } from "../processor.ts";

/** The same engine; the first is chosen where both are installed. */
const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];
const BACKEND = "tensorflow";
const WHERE = "engine tensorflow";
const FIX =
  "`npm run setup:tensorflow -- gpu` (or `-- cpu`) installs it into a checkout on Linux x86_64; elsewhere " +
  "`npm install --no-save @tensorflow/tfjs-node`. `engine: cpu` needs neither.";
const ON_CPU = "no GPU: this TensorFlow computes on the CPU (for a GPU it needs an NVIDIA driver and the gpu variant)";

const require = createRequire(import.meta.url);

/** Whether the TensorFlow library loads, and on what it computes. */
export function probeTensorflowEngine(): Availability {
  try {
    return { available: true, ...load().facts };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { available: false, reason: error.message.split("\n")[0]!.replace(`${WHERE}: `, ""), fix: FIX };
  }
}

/**
 * Makes TensorFlow's C library TensorFlow.js' current backend. `device` tells whether it computes on a GPU.
 * @throws UserError where no package is installed or its library does not load, with the fix
 */
export async function startTensorflowEngine(): Promise<EngineInfo> {
  const { name, facts } = load();
  await tf.setBackend(BACKEND);
  return { name: "tensorflow", backend: BACKEND, threads: 0, versions: { [name]: versionOf(name) }, ...facts };
}

function load(): { name: string; facts: Computes } {
  const name = PACKAGES.find(isInstalled);
  if (name === undefined)
    throw new UserError("engine-unavailable", `${PACKAGES.join(" or ")} not installed`, { where: WHERE, fix: FIX });
  // TensorFlow reads these when it loads: take GPU memory as needed, print errors only.
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  replaceOldUtilities();
  try {
    require(name);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new UserError("engine-unavailable", `${name} does not load: ${why}`, { where: WHERE, fix: FIX, cause });
  }
  const backend = tf.engine().findBackend(BACKEND) as unknown as NodeBackend | null;
  if (backend === null)
    throw new UserError("engine-unavailable", `${name} uses another copy of @tensorflow/tfjs-core`, {
      where: WHERE,
      fix: "npm dedupe",
    });
  const gpu = backend.isUsingGpuDevice;
  const provider = `TensorFlow ${backend.binding.TF_Version}`;
  const facts = gpu
    ? { gpu, provider, device: "NVIDIA GPU" }
    : { gpu, provider, device: processorName(), warning: ON_CPU };
  return { name, facts };
}

/** The parts of the Node backend that tell what it runs on. */
interface NodeBackend {
  isUsingGpuDevice: boolean;
  binding: { TF_Version: string };
}

/** tfjs-node 4.22 calls two functions that Node 22 deprecates aloud; Node 23 removed the first. */
function replaceOldUtilities(): void {
  const isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  Object.assign(util, { isNullOrUndefined, isArray: Array.isArray });
}
