import type { Arena } from "../arena.ts";
import { productModel } from "./onnxModel.ts";
import type { OnnxRuntimeApi } from "./onnxRuntimeApi.ts";
import type { MatmulProvider } from "./provider.ts";

/** Handles of matrices kept between calls; beyond it all are given back. */
const KEPT_MATRICES = 4096;

/**
 * Products by ONNX Runtime, in place in the arena. One session per (transA, transB, alpha, beta), shapes free.
 * @param threads how many threads one product may use, the calling one included
 */
export function onnxRuntimeProvider(api: OnnxRuntimeApi, arena: Arena, threads: number): MatmulProvider {
  const base = api.addressOf(arena.uint8(0, 1));
  const sessions = new Map<string, bigint>();
  const matrices = new Map<number, Map<number, bigint>>();
  let kept = 0;

  function sessionOf(transA: boolean, transB: boolean, alpha: number, beta: number): bigint {
    const key = `${transA} ${transB} ${alpha} ${beta}`;
    let session = sessions.get(key);
    if (session === undefined) {
      session = api.createSession(productModel({ transA, transB, alpha, beta }), threads);
      sessions.set(key, session);
    }
    return session;
  }

  function matrixAt(offset: number, rows: number, columns: number): bigint {
    let bySize = matrices.get(offset);
    if (bySize === undefined) matrices.set(offset, (bySize = new Map()));
    const size = rows * 2 ** 26 + columns;
    let matrix = bySize.get(size);
    if (matrix === undefined) {
      matrix = api.createMatrix(base + offset, rows, columns);
      bySize.set(size, matrix);
      kept++;
    }
    return matrix;
  }

  function releaseMatrices(): void {
    for (const bySize of matrices.values()) for (const matrix of bySize.values()) api.releaseValue(matrix);
    matrices.clear();
    kept = 0;
  }

  return {
    name: "onnxruntime",
    version: `${api.version} (C API)`,
    sgemm(transA, transB, M, N, K, alpha, a, b, beta, c) {
      if (kept > KEPT_MATRICES) releaseMatrices();
      const A = transA ? matrixAt(a, K, M) : matrixAt(a, M, K);
      const B = transB ? matrixAt(b, N, K) : matrixAt(b, K, N);
      const C = matrixAt(c, M, N);
      api.run(sessionOf(transA, transB, alpha, beta), beta === 0 ? [A, B] : [A, B, C], C);
    },
    dispose() {
      releaseMatrices();
      for (const session of sessions.values()) api.releaseSession(session);
      sessions.clear();
    },
  };
}
