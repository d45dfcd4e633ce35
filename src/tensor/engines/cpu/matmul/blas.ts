import { createRequire } from "node:module";
import type * as koffiPackage from "koffi";
import { keepLoaded } from "./keep-loaded.ts";
import type { LibraryCalls, MatmulProvider } from "./provider.ts";
import { firstSoundBlas } from "./sound-library.ts";

const require = createRequire(import.meta.url);

type Koffi = typeof koffiPackage;

/** Where a BLAS with the C interface may be found, by platform; the loader's own search path applies. */
const libraries: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ["libmkl_rt.so.2", "libmkl_rt.so", "libopenblas.so.0", "libopenblas.so", "libblis.so.4"],
  darwin: ["/System/Library/Frameworks/Accelerate.framework/Accelerate", "libopenblas.dylib"],
  win32: ["mkl_rt.2.dll", "libopenblas.dll", "openblas.dll"],
};

/** Functions by which such a library is told to stay on the calling thread. */
const threadSetters = ["openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads"] as const;

/**
 * A BLAS of this machine (OpenBLAS, MKL, BLIS, Accelerate), called on the calling thread. The
 * environment variable TOKENSIFT_BLAS names another library.
 * @throws Error with the reason when koffi is missing or no library is found
 */
export function loadBlas(): MatmulProvider {
  const koffi = require("koffi") as Koffi;
  const named = process.env["TOKENSIFT_BLAS"];
  const candidates = named === undefined ? (libraries[process.platform] ?? []) : [named];
  if (candidates.length === 0) throw new Error("no BLAS is known for this platform");
  const path = firstSoundBlas(candidates);
  const library = koffi.load(path);
  keepLoaded(koffi, path);
  const handles: BlasHandles = { sgemm: BigInt(koffi.address(library.symbol("cblas_sgemm") as object)) };
  for (const name of threadSetters) setThreads(library, name);
  return {
    name: "blas",
    version: path,
    addressOf: (bytes) => Number(koffi.address(bytes)),
    calls: bindBlasCalls(koffi, handles),
    worker: { koffi: require.resolve("koffi"), bind: bindBlasCalls, handles },
    dispose: () => undefined,
  };
}

/** Addresses in this process. */
export interface BlasHandles {
  sgemm: bigint;
}

/** Products by `cblas_sgemm`. The text of this function is sent to worker threads: it must not use anything from outside. */
export function bindBlasCalls(koffi: typeof koffiPackage, handles: BlasHandles): LibraryCalls {
  const [ROW_MAJOR, PLAIN, TRANSPOSED] = [101, 111, 112];
  koffi.load(null); // only so does koffi 3.3 make the stack that a thread's calls run on
  const type = koffi.proto("void", [
    ...["int", "int", "int", "int", "int", "int"],
    ...["float", "int64_t", "int", "int64_t", "int", "float", "int64_t", "int"],
  ]);
  return {
    product(transA, transB, M, N, K, a, b, beta, c) {
      const forms = [ROW_MAJOR, transA ? TRANSPOSED : PLAIN, transB ? TRANSPOSED : PLAIN];
      const [strideA, strideB] = [transA ? M : K, transB ? K : N];
      koffi.call(handles.sgemm, type, ...forms, M, N, K, 1, a, strideA, b, strideB, beta, c, N);
    },
  };
}

type Library = ReturnType<Koffi["load"]>;

function setThreads(library: Library, name: string): void {
  try {
    library.func(name, "void", ["int"])(1);
  } catch {
    // another library's function
  }
}
