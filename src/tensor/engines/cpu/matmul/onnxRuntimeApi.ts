import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as koffiPackage from "koffi";

const require = createRequire(import.meta.url);

type Address = bigint;
type Koffi = typeof koffiPackage;

/**
 * ONNX Runtime's C interface: the few functions a product needs, with addresses as plain numbers. The JavaScript
 * binding of the same package copies every output; this does not.
 */
export interface OnnxRuntimeApi {
  readonly version: string;
  /** Makes a session that runs on `threads` threads, which sleep when there is nothing to do. */
  createSession(model: Uint8Array, threads: number): Address;
  /** A value that is a float32 matrix at a memory address. */
  createMatrix(address: number, rows: number, columns: number): Address;
  releaseValue(value: Address): void;
  releaseSession(session: Address): void;
  /** Runs a session on values named a, b (and c), into the value named o. */
  run(session: Address, inputs: readonly Address[], output: Address): void;
  /** Address of the first byte of an array or shared memory. */
  addressOf(bytes: Uint8Array): number;
  /** Arrays that the library reads by address, which the garbage collector does not see. */
  readonly keptAlive: readonly unknown[];
}

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
  AddSessionConfigEntry: 130,
} as const;
const LOG_ERRORS_ONLY = 3;
const FLOAT = 1;

/** @throws Error with the reason when koffi or onnxruntime-node is missing, or does not load on this machine. */
export function loadOnnxRuntimeApi(): OnnxRuntimeApi {
  const koffi = require("koffi") as Koffi;
  const { path, version } = findLibrary();
  const library = koffi.load(path);
  keepLoaded(koffi, path);
  return bind(koffi, library.func("OrtGetApiBase", "void *", [])(), version);
}

/** Opens the library once more by the system's own call: koffi closes it when its handle is garbage, code and all. */
function keepLoaded(koffi: Koffi, path: string): void {
  const RESOLVE_NOW = 2;
  if (process.platform === "win32") koffi.load("kernel32.dll").func("LoadLibraryW", "void *", ["str16"])(path);
  else koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, RESOLVE_NOW);
}

/** The shared library and version inside the onnxruntime-node package. */
function findLibrary(): { path: string; version: string } {
  let folder = dirname(require.resolve("onnxruntime-node"));
  while (!readdirSync(folder).includes("package.json")) folder = dirname(folder);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const platform = join(process.platform, process.arch);
  for (const abi of readdirSync(join(folder, "bin"))) {
    const libraries = join(folder, "bin", abi, platform);
    const name = readdirSync(libraries).find((file) => /^(lib)?onnxruntime\.(so|dll|\d.*dylib)/.test(file));
    if (name !== undefined) return { path: join(libraries, name), version };
  }
  throw new Error(`onnxruntime-node ${version} holds no library for ${platform}`);
}

function bind(koffi: Koffi, apiBase: unknown, version: string): OnnxRuntimeApi {
  const getApi = koffi.proto("void *", ["uint32_t"]);
  const api: unknown = koffi.call(koffi.decode(apiBase, "void *"), getApi, API_VERSION);
  if (!api) throw new Error(`onnxruntime ${version} does not offer version ${API_VERSION} of its C interface`);
  const bound = (name: keyof typeof FUNCTIONS, parameters: string[], result = "void *") => {
    const pointer: unknown = koffi.decode(api, FUNCTIONS[name] * 8, "void *");
    const prototype = koffi.proto(result, parameters);
    return (...values: unknown[]): unknown => koffi.call(pointer, prototype, ...values);
  };
  const messageOf = bound("GetErrorMessage", ["void *"], "str");
  const releaseStatus = bound("ReleaseStatus", ["void *"], "void");
  const check = (status: unknown): void => {
    if (!status) return;
    const message = messageOf(status) as string;
    releaseStatus(status);
    throw new Error(`onnxruntime: ${message}`);
  };
  const created = (create: (out: unknown[]) => unknown): Address => {
    const out: unknown[] = [null];
    check(create(out));
    return out[0] as Address;
  };
  const out = "_Out_ void **";

  const createEnv = bound("CreateEnv", ["int", "str", out]);
  const createOptions = bound("CreateSessionOptions", [out]);
  const setIntraOp = bound("SetIntraOpNumThreads", ["void *", "int"]);
  const setInterOp = bound("SetInterOpNumThreads", ["void *", "int"]);
  const addConfigEntry = bound("AddSessionConfigEntry", ["void *", "str", "str"]);
  const createSession = bound("CreateSessionFromArray", ["void *", "uint8_t *", "size_t", "void *", out]);
  const releaseOptions = bound("ReleaseSessionOptions", ["void *"], "void");
  const releaseSession = bound("ReleaseSession", ["void *"], "void");
  const createMemoryInfo = bound("CreateCpuMemoryInfo", ["int", "int", out]);
  const createTensor = bound("CreateTensorWithDataAsOrtValue", [
    "void *",
    "int64_t",
    "size_t",
    "int64_t",
    "size_t",
    "int",
    out,
  ]);
  const releaseValue = bound("ReleaseValue", ["void *"], "void");
  const run = bound("Run", ["void *", "void *", "int64_t", "int64_t", "size_t", "int64_t", "size_t", "int64_t"]);

  const addressOf = (array: ArrayBufferView): number => Number(koffi.address(array));
  const environment = created((result) => createEnv(LOG_ERRORS_ONLY, "tokensift", result));
  const cpu = created((result) => createMemoryInfo(1, 0, result));
  const shape = new BigInt64Array(2);
  const values = new BigInt64Array(4);
  const names = ["a", "b", "c", "o"].map((name) => Buffer.from(`${name}\0`));
  const nameTable = BigInt64Array.from(names, (name) => BigInt(addressOf(name)));
  const [shapeAt, valuesAt, namesAt] = [addressOf(shape), addressOf(values), addressOf(nameTable)];

  return {
    version,
    addressOf,
    createSession(model, threads) {
      const options = created((result) => createOptions(result));
      check(setIntraOp(options, threads));
      check(setInterOp(options, 1));
      check(addConfigEntry(options, "session.intra_op.allow_spinning", "0"));
      const session = created((result) => createSession(environment, model, model.length, options, result));
      releaseOptions(options);
      return session;
    },
    createMatrix(address, rows, columns) {
      shape[0] = BigInt(rows);
      shape[1] = BigInt(columns);
      return created((result) => createTensor(cpu, address, rows * columns * 4, shapeAt, 2, FLOAT, result));
    },
    run(session, inputs, output) {
      inputs.forEach((input, i) => (values[i] = input));
      values[3] = output;
      check(run(session, null, namesAt, valuesAt, inputs.length, namesAt + 24, 1, valuesAt + 24));
    },
    releaseValue: (value) => void releaseValue(value),
    releaseSession: (session) => void releaseSession(session),
    keptAlive: [shape, values, names, nameTable],
  };
}
