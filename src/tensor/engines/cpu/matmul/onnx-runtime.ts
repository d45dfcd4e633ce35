import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as koffiPackage from "koffi";
import { keepLoaded } from "./keep-loaded.ts";
import { productModel, softmaxModel } from "./onnx-model.ts";
import type { OnnxHandles } from "./onnx-calls.ts";
import { bindOnnxCalls } from "./onnx-calls.ts";
import type { MatmulProvider } from "./provider.ts";
import { requireWhole } from "./sound-library.ts";

const require = createRequire(import.meta.url);

type Koffi = typeof koffiPackage;

/** Positions in the table of functions that OrtGetApiBase()->GetApi() returns; the table only ever grows. */
const API_VERSION = 20;
const FUNCTIONS = {
  GetErrorMessage: 2,
  CreateEnv: 3,
  CreateSessionFromArray: 8,
  Run: 9,
  CreateSessionOptions: 10,
  SetIntraOpNumThreads: 24,
  SetInterOpNumThreads: 25,
  CreateTensorWithDataAsOrtValue: 49,
  CreateCpuMemoryInfo: 69,
  ReleaseStatus: 93,
  ReleaseSession: 95,
  ReleaseValue: 96,
  ReleaseSessionOptions: 100,
} as const;
const LOG_ERRORS_ONLY = 3;

/**
 * ONNX Runtime by its C interface, in place, on the calling thread: threads are the engine's business.
 * (The JavaScript binding of the package copies every output.)
 * @throws Error with the reason when koffi or onnxruntime-node is missing, or does not load on this machine
 */
export function loadOnnxRuntime(): MatmulProvider {
  const koffi = require("koffi") as Koffi;
  const { path, version } = findLibrary();
  requireWhole(path);
  const library = koffi.load(path);
  keepLoaded(koffi, path);
  const api = bindApi(koffi, library.func("OrtGetApiBase", "void *", [])(), version);
  const products = Array.from({ length: 8 }, (_, form) =>
    api.createSession(productModel({ transA: form >> 2, transB: (form >> 1) & 1, beta: form & 1 })),
  );
  const softmax = api.createSession(softmaxModel());
  const handles: OnnxHandles = { ...api.handles, products, softmax };
  return {
    name: "onnxruntime",
    version: `${version} (C API)`,
    addressOf: (bytes) => Number(koffi.address(bytes)),
    calls: bindOnnxCalls(koffi, handles),
    worker: { koffi: require.resolve("koffi"), bind: bindOnnxCalls, handles },
    dispose: () => [...products, softmax].forEach((session) => api.releaseSession(session)),
  };
}

/** The shared library and version inside the onnxruntime-node package. */
function findLibrary(): { path: string; version: string } {
  let folder = dirname(require.resolve("onnxruntime-node"));
  while (!readdirSync(folder).includes("package.json")) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const { platform, arch } = process;
  for (const abi of readdirSync(join(folder, "bin"))) {
    const libraries = join(folder, "bin", abi, platform, arch);
    if (!existsSync(libraries)) continue;
    const name = readdirSync(libraries).find((file) => /^(lib)?onnxruntime\.(so|dll|\d.*dylib)/.test(file));
    if (name !== undefined) return { path: join(libraries, name), version };
  }
  throw new Error(`onnxruntime-node ${version} holds no library for ${platform}/${arch}`);
}

/** The functions of the C interface that make sessions, and the addresses its calls need. */
function bindApi(koffi: Koffi, apiBase: unknown, version: string) {
  const getApi = koffi.proto("void *", ["uint32_t"]);
  const api: unknown = koffi.call(koffi.decode(apiBase, "void *"), getApi, API_VERSION);
  if (!api) throw new Error(`onnxruntime ${version} does not offer version ${API_VERSION} of its C interface`);
  const addressOf = (name: keyof typeof FUNCTIONS): bigint =>
    koffi.decode(api, FUNCTIONS[name] * 8, "void *") as bigint;
  const bound = (name: keyof typeof FUNCTIONS, parameters: string[], result = "void *") => {
    const prototype = koffi.proto(result, parameters);
    return (...values: unknown[]): unknown => koffi.call(addressOf(name), prototype, ...values);
  };
  const messageOf = bound("GetErrorMessage", ["void *"], "str");
  const releaseStatus = bound("ReleaseStatus", ["void *"], "void");
  const check = (status: unknown): void => {
    if (!status) return;
    const message = messageOf(status) as string;
    releaseStatus(status);
    throw new Error(`onnxruntime: ${message}`);
  };
  const created = (create: (out: unknown[]) => unknown): bigint => {
    const out: unknown[] = [null];
    check(create(out));
    return out[0] as bigint;
  };
  const out = "_Out_ void **";
  const createEnv = bound("CreateEnv", ["int", "str", out]);
  const createOptions = bound("CreateSessionOptions", [out]);
  const setIntraOp = bound("SetIntraOpNumThreads", ["void *", "int"]);
  const setInterOp = bound("SetInterOpNumThreads", ["void *", "int"]);
  const createSession = bound("CreateSessionFromArray", ["void *", "uint8_t *", "size_t", "void *", out]);
  const releaseOptions = bound("ReleaseSessionOptions", ["void *"], "void");
  const releaseSession = bound("ReleaseSession", ["void *"], "void");
  const createMemoryInfo = bound("CreateCpuMemoryInfo", ["int", "int", out]);
  const environment = created((result) => createEnv(LOG_ERRORS_ONLY, "tokensift", result));

  return {
    handles: {
      run: addressOf("Run"),
      createTensorWithData: addressOf("CreateTensorWithDataAsOrtValue"),
      releaseValue: addressOf("ReleaseValue"),
      getErrorMessage: addressOf("GetErrorMessage"),
      releaseStatus: addressOf("ReleaseStatus"),
      memoryInfo: created((result) => createMemoryInfo(1, 0, result)),
    },
    /** A session that computes on the thread that runs it. */
    createSession(model: Uint8Array): bigint {
      const options = created((result) => createOptions(result));
      check(setIntraOp(options, 1));
      check(setInterOp(options, 1));
      const session = created((result) => createSession(environment, model, model.length, options, result));
      releaseOptions(options);
      return session;
    },
    releaseSession: (session: bigint): void => void releaseSession(session),
  };
}
