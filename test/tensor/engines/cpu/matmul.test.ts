import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createArena } from "../../../../src/tensor/engines/cpu/arena.ts";
import { UserError } from "../../../../src/errors.ts";
import { chooseProvider } from "../../../../src/tensor/engines/cpu/matmul/choose.ts";
import { onnxRuntimeProvider } from "../../../../src/tensor/engines/cpu/matmul/onnxRuntime.ts";
import { loadOnnxRuntimeApi } from "../../../../src/tensor/engines/cpu/matmul/onnxRuntimeApi.ts";
import type { MatmulProvider } from "../../../../src/tensor/engines/cpu/matmul/provider.ts";
import { wasmProvider } from "../../../../src/tensor/engines/cpu/matmul/wasm.ts";
import { instantiateKernels } from "../../../../src/tensor/engines/cpu/wasm.ts";
import { stream } from "../../../../src/random.ts";

const arena = createArena();
const kernels = instantiateKernels(arena, () => undefined);
const api = loadOnnxRuntimeApi();
const providers: Record<string, MatmulProvider> = {
  wasm: wasmProvider(kernels),
  "onnxruntime, 1 thread": onnxRuntimeProvider(api, arena, 1),
  "onnxruntime, 2 threads": onnxRuntimeProvider(api, arena, 2),
};
afterAll(() => Object.values(providers).forEach((provider) => provider.dispose()));

const random = stream(1, "matmul test");
function filled(length: number): number {
  const offset = arena.allocate(length * 4);
  arena.float32(offset, length).forEach((_, i, array) => (array[i] = random.next() - 0.5));
  return offset;
}

interface Product {
  M: number;
  N: number;
  K: number;
  transA: boolean;
  transB: boolean;
  beta: number;
}

/** The product's largest error, relative to the sum of the absolute values of its terms, against float64 sums. */
function errorOf(provider: MatmulProvider, { M, N, K, transA, transB, beta }: Product, alpha: number): number {
  const [a, b, c] = [filled(M * K), filled(K * N), filled(M * N)];
  const [A, B, C] = [arena.float32(a, M * K), arena.float32(b, K * N), arena.float32(c, M * N)];
  const before = beta === 0 ? C.fill(NaN).slice() : C.slice();
  provider.sgemm(transA, transB, M, N, K, alpha, a, b, beta, c);
  const first = C.slice();
  C.set(before);
  provider.sgemm(transA, transB, M, N, K, alpha, a, b, beta, c);
  expect(C).toEqual(first);
  let worst = 0;
  for (let i = 0; i < M; i++)
    for (let j = 0; j < N; j++) {
      let sum = beta === 0 ? 0 : beta * before[i * N + j]!;
      let size = Math.abs(sum) + 1e-30;
      for (let k = 0; k < K; k++) {
        const term = alpha * A[transA ? k * M + i : i * K + k]! * B[transB ? j * K + k : k * N + j]!;
        sum += term;
        size += Math.abs(term);
      }
      worst = Math.max(worst, Math.abs(C[i * N + j]! - sum) / size);
    }
  for (const offset of [a, b, c]) arena.free(offset);
  return worst;
}

describe.each(Object.keys(providers))("product by %s", (name) => {
  const forms = [false, true].flatMap((transA) => [false, true].map((transB) => ({ transA, transB })));
  const sizes = [
    { M: 1, N: 1, K: 1 },
    { M: 1, N: 37, K: 19 },
    { M: 3, N: 9, K: 70 },
    { M: 13, N: 5, K: 7 },
    { M: 33, N: 20, K: 300 },
    { M: 5, N: 521, K: 31 },
  ];

  test.each(forms)("equals the sum of products, and its own repetition bit for bit: %o", (form) => {
    for (const size of sizes)
      for (const beta of [0, 1]) expect(errorOf(providers[name]!, { ...size, ...form, beta }, 1)).toBeLessThan(5e-7);
  });

  test("applies alpha and beta", () => {
    expect(errorOf(providers[name]!, { M: 6, N: 11, K: 4, transA: false, transB: false, beta: 2 }, 0.25)).toBeLessThan(
      5e-7,
    );
  });
});

test("a call that ONNX Runtime refuses is an error that says why", () => {
  expect(() => api.createSession(Uint8Array.of(1, 2, 3), 1)).toThrow(/onnxruntime: .*model/i);
});

test("goes on working after garbage was collected", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const provider = onnxRuntimeProvider(loadOnnxRuntimeApi(), arena, 1);
  for (let round = 0; round < 3; round++) {
    collect();
    const product = { M: 5, N: 6, K: 7, transA: false, transB: round === 1, beta: 0 };
    expect(errorOf(provider, product, 1)).toBeLessThan(5e-7);
  }
  provider.dispose();
});

describe("choice of the product", () => {
  const builtIn = providers["wasm"]!;
  const load = (): never => {
    throw new Error("Cannot find module 'koffi'\nRequire stack: …");
  };

  test("is ONNX Runtime where it loads", () => {
    const { provider, warning } = chooseProvider("auto", builtIn, { arena, threads: 1 });
    expect([provider.name, warning]).toEqual(["onnxruntime", undefined]);
    provider.dispose();
  });

  test("falls back on the built-in one, with a message that says why and what to do", () => {
    const { provider, warning } = chooseProvider("auto", builtIn, { arena, threads: 1, load });
    expect(provider).toBe(builtIn);
    expect(warning).toMatch(/^ONNX Runtime is not used.*Cannot find module 'koffi'\. Install the optional packages/);
  });

  test("is an error where ONNX Runtime was asked for by name and does not load", () => {
    expect(() => chooseProvider("onnxruntime", builtIn, { arena, threads: 1, load })).toThrow(UserError);
  });

  test("is the built-in one when asked for", () => {
    expect(chooseProvider("wasm", builtIn, { arena, threads: 1, load })).toEqual({ provider: builtIn });
  });
});
