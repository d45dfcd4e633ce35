import type * as koffiPackage from "koffi";
import type { LibraryCalls } from "./provider.ts";

/** Addresses in this process of what the calls need of ONNX Runtime. */
export interface OnnxHandles {
  /** Functions of the C interface. */
  run: bigint;
  createTensorWithData: bigint;
  releaseValue: bigint;
  getErrorMessage: bigint;
  releaseStatus: bigint;
  /** The OrtMemoryInfo of ordinary memory. */
  memoryInfo: bigint;
  /** Sessions of products by `transA * 4 + transB * 2 + beta`. */
  products: bigint[];
  /** The session of the softmax. */
  softmax: bigint;
}

/**
 * Products and softmax by ONNX Runtime on any thread of the process. The text of this function is sent to worker
 * threads: it must not use anything from outside.
 */
export function bindOnnxCalls(koffi: typeof koffiPackage, handles: OnnxHandles): LibraryCalls {
  const FLOAT = 1;
  /** Matrices known to the library that are kept between calls; beyond it all are given back. */
  const KEPT = 4096;
  koffi.load(null); // only so does koffi 3.3 make the stack that a thread's calls run on
  const wide = "int64_t";
  const runType = koffi.proto("void *", ["void *", "void *", wide, wide, "size_t", wide, "size_t", wide]);
  const createType = koffi.proto("void *", ["void *", wide, "size_t", wide, "size_t", "int", "_Out_ void **"]);
  const releaseType = koffi.proto("void", ["void *"]);
  const messageType = koffi.proto("str", ["void *"]);

  // Arrays that the library reads by address; `names` keeps the bytes that the addresses in `nameTable` point to.
  const names = new Uint8Array([..."a\0b\0c\0o\0"].map((letter) => letter.charCodeAt(0)));
  const shape = new BigInt64Array(2);
  const values = new BigInt64Array(4);
  const addressOf = (array: ArrayBufferView): number => Number(koffi.address(array));
  const nameTable = BigInt64Array.from([0, 2, 4, 6], (at) => BigInt(addressOf(names) + at));
  const [shapeAt, valuesAt, namesAt] = [addressOf(shape), addressOf(values), addressOf(nameTable)];
  const arrays = { names, shape, values, nameTable };

  const check = (status: unknown): void => {
    if (!status) return;
    const message: string = koffi.call(handles.getErrorMessage, messageType, status);
    koffi.call(handles.releaseStatus, releaseType, status);
    throw new Error(`onnxruntime: ${message}`);
  };

  const matrices = new Map<number, Map<number, bigint>>();
  let kept = 0;
  const forgetMatrices = (): void => {
    for (const bySize of matrices.values())
      for (const matrix of bySize.values()) koffi.call(handles.releaseValue, releaseType, matrix);
    matrices.clear();
    kept = 0;
  };
  const matrixAt = (address: number, rows: number, columns: number): bigint => {
    let bySize = matrices.get(address);
    if (bySize === undefined) matrices.set(address, (bySize = new Map<number, bigint>()));
    const size = rows * 67_108_864 + columns;
    const known = bySize.get(size);
    if (known !== undefined) return known;
    arrays.shape[0] = BigInt(rows);
    arrays.shape[1] = BigInt(columns);
    const out: [bigint | null] = [null];
    const bytes = rows * columns * 4;
    const create = [handles.memoryInfo, address, bytes, shapeAt, 2, FLOAT, out];
    check(koffi.call(handles.createTensorWithData, createType, ...create));
    bySize.set(size, out[0]!);
    kept++;
    return out[0]!;
  };

  const run = (session: bigint, inputs: number): void =>
    check(koffi.call(handles.run, runType, session, null, namesAt, valuesAt, inputs, namesAt + 24, 1, valuesAt + 24));

  return {
    product(transA, transB, M, N, K, a, b, beta, c) {
      if (kept > KEPT) forgetMatrices();
      const { values } = arrays;
      values[0] = transA ? matrixAt(a, K, M) : matrixAt(a, M, K);
      values[1] = transB ? matrixAt(b, N, K) : matrixAt(b, K, N);
      values[2] = values[3] = matrixAt(c, M, N);
      run(handles.products[transA * 4 + transB * 2 + beta]!, beta ? 3 : 2);
    },
    softmax(rows, columns, x) {
      if (kept > KEPT) forgetMatrices();
      arrays.values[0] = arrays.values[3] = matrixAt(x, rows, columns);
      run(handles.softmax, 1);
    },
  };
}
