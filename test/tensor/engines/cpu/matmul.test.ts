import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { setImmediate } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test, jest } from "@jest/globals";
import { createArena } from "../../../../src/tensor/engines/cpu/arena.ts";
import { chooseProvider } from "../../../../src/tensor/engines/cpu/matmul/choose.ts";
import { loadBlas } from "../../../../src/tensor/engines/cpu/matmul/blas.ts";
import { loadOnnxRuntime } from "../../../../src/tensor/engines/cpu/matmul/onnx-runtime.ts";
import type { Product } from "../../../../src/tensor/engines/cpu/matmul/provider.ts";
import { firstSoundBlas, requireWhole } from "../../../../src/tensor/engines/cpu/matmul/sound-library.ts";
import { compileKernels, instantiateKernels } from "../../../../src/tensor/engines/cpu/wasm.ts";
import { stream } from "../../../../src/system/random.ts";
import { userError } from "../../../user-error.ts";

const arena = createArena();
const { kernels } = instantiateKernels(compileKernels(), arena, 0, 1);
const onnxRuntime = loadOnnxRuntime();
/** The address of the arena's memory. */
const base = onnxRuntime.addressOf(arena.uint8(0, 1));
const products: Record<string, Product> = {
  WebAssembly: (...values) => void kernels["product"]!(...values),
  "ONNX Runtime": byPlaces(onnxRuntime.calls.product),
  ...blasHere(),
};
const hasBlas = Object.keys(products).some((name) => name.startsWith("BLAS"));

/** The product of matrices at places in the arena. */
function byPlaces(product: Product): Product {
  return (transA, transB, M, N, K, a, b, beta, c) =>
    product(transA, transB, M, N, K, base + a, base + b, beta, base + c);
}

function blasHere(): Record<string, Product> {
  try {
    const { calls, version } = loadBlas();
    return { [`BLAS, ${version}`]: byPlaces(calls.product) };
  } catch (error) {
    process.stdout.write(`Products by BLAS are not tested: ${(error as Error).message}\n`);
    return {};
  }
}
afterAll(() => onnxRuntime.dispose());

const random = stream(1, "matmul test");
function filled(length: number): number {
  const offset = arena.allocate(length * 4);
  arena.float32(offset, length).forEach((_, i, array) => (array[i] = random.next() - 0.5));
  return offset;
}

interface Form {
  M: number;
  N: number;
  K: number;
  transA: number;
  transB: number;
  beta: number;
}

/**
 * The product's largest error, relative to the sum of the absolute values of its terms, against sums in float64. Where
 * beta is 0, C holds NaN before, which must not be read.
 */
function errorOf(product: Product, { M, N, K, transA, transB, beta }: Form): number {
  const [a, b, c] = [filled(M * K), filled(K * N), filled(M * N)];
  const [A, B, C] = [arena.float32(a, M * K), arena.float32(b, K * N), arena.float32(c, M * N)];
  const before = beta === 0 ? C.fill(NaN).slice() : C.slice();
  product(transA, transB, M, N, K, a, b, beta, c);
  const first = C.slice();
  C.set(before);
  product(transA, transB, M, N, K, a, b, beta, c);
  expect(C).toEqual(first);
  let worst = 0;
  for (let i = 0; i < M; i++)
    for (let j = 0; j < N; j++) {
      let sum = beta === 0 ? 0 : before[i * N + j]!;
      let size = Math.abs(sum) + 1e-30;
      for (let k = 0; k < K; k++) {
        const term = A[transA ? k * M + i : i * K + k]! * B[transB ? j * K + k : k * N + j]!;
        sum += term;
        size += Math.abs(term);
      }
      worst = Math.max(worst, Math.abs(C[i * N + j]! - sum) / size);
    }
  for (const offset of [a, b, c]) arena.free(offset);
  return worst;
}

describe.each(Object.keys(products))("product by %s", (name) => {
  const forms = [0, 1].flatMap((transA) => [0, 1].map((transB) => ({ transA, transB })));
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
      for (const beta of [0, 1]) expect(errorOf(products[name]!, { ...size, ...form, beta })).toBeLessThan(5e-7);
  });
});

describe("softmax by ONNX Runtime", () => {
  const softmax = onnxRuntime.calls.softmax!;

  test("equals that of float64, and gives a row the same bits whatever rows there are beside it", () => {
    for (const [rows, columns] of [
      [1, 1],
      [3, 7],
      [5, 130],
      [2, 8193],
    ] as const) {
      const x = filled(rows * columns);
      const values = arena.float32(x, rows * columns);
      const scores = values.map((value) => value * 30);
      values.set(scores);
      softmax(rows, columns, base + x);
      const together = values.slice();
      for (let row = 0; row < rows; row++) {
        const own = Float64Array.from(scores.subarray(row * columns, (row + 1) * columns));
        const largest = own.reduce((a, b) => Math.max(a, b));
        const sum = own.reduce((total, score) => total + Math.exp(score - largest), 0);
        const expected = own.map((score) => Math.exp(score - largest) / sum);
        const isClose = (weight: number, j: number): boolean =>
          Math.abs(together[row * columns + j]! - weight) < 3e-6 * weight + 1e-37;
        expect(expected.findIndex((weight, j) => !isClose(weight, j))).toBe(-1);
        values.set(scores);
        softmax(1, columns, base + x + row * columns * 4);
        const alone = values.slice(row * columns, (row + 1) * columns);
        expect(alone).toEqual(together.slice(row * columns, (row + 1) * columns));
      }
      arena.free(x);
    }
  });

  test("gives scores far below the others no weight, or on arm64 one below all normal numbers", () => {
    const x = filled(64);
    arena.float32(x, 64).fill(-1.7e38, 40);
    softmax(1, 64, base + x);
    const largest = process.arch === "arm64" ? 2 ** -126 : 0;
    expect(
      arena
        .float32(x, 64)
        .subarray(40)
        .every((weight) => weight >= 0 && weight <= largest),
    ).toBe(true);
    arena.free(x);
  });
});

test("a call that ONNX Runtime refuses is an error that says why", () => {
  // A matrix of a negative number of rows cannot be made.
  expect(() => onnxRuntime.calls.product(0, 0, -1, 2, 2, 65536, 65536, 0, 65536)).toThrow(/^onnxruntime: /);
});

test.each([["ONNX Runtime", loadOnnxRuntime] as const, ...(hasBlas ? [["a BLAS", loadBlas] as const] : [])])(
  "%s goes on working after garbage was collected",
  async (_, load) => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const provider = load();
    for (let round = 0; round < 3; round++) {
      collect();
      await setImmediate(); // what garbage held is closed then
      expect(
        errorOf(byPlaces(provider.calls.product), { M: 5, N: 6, K: 7, transA: 0, transB: 1, beta: 0 }),
      ).toBeLessThan(5e-7);
    }
    provider.dispose();
  },
);

test("ONNX Runtime is missing by name where its package has no library for the processor", () => {
  const { arch } = process;
  Object.defineProperty(process, "arch", { value: "mips" });
  try {
    expect(() => loadOnnxRuntime()).toThrow(/^onnxruntime-node [\d.]+ holds no library for \w+\/mips$/);
  } finally {
    Object.defineProperty(process, "arch", { value: arch });
  }
});

describe("choice of the product", () => {
  const absent = (): never => {
    throw new Error("Cannot find module 'koffi'.\nRequire stack: …");
  };
  const none = { onnxruntime: absent, blas: absent };
  let clock = 0;
  beforeAll(() => void jest.spyOn(performance, "now").mockImplementation(() => clock));
  afterAll(() => void jest.restoreAllMocks());
  /** A library that computes rightly, and takes so many milliseconds by the clock for a large product. */
  const library = (name: string, milliseconds: number) => () => ({
    ...onnxRuntime,
    name,
    calls: {
      product: (...values: Parameters<Product>) => {
        if (values[2] > 1) clock += milliseconds;
        onnxRuntime.calls.product(...values);
      },
    },
    dispose: () => undefined,
  });
  const chosen = (load: Parameters<typeof chooseProvider>[1]) => chooseProvider("auto", load);

  const naming = <T>(path: string, body: () => T): T => {
    process.env["TOKENSIFT_BLAS"] = path;
    try {
      return body();
    } finally {
      delete process.env["TOKENSIFT_BLAS"];
    }
  };

  test("is ONNX Runtime where it loads and no BLAS is clearly faster", () => {
    expect(chosen({ ...none, onnxruntime: library("onnxruntime", 1) }).provider!.name).toBe("onnxruntime");
    const alike = { onnxruntime: library("onnxruntime", 20), blas: library("blas", 18) };
    expect(naming("libfast.so", () => chosen(alike)).provider!.name).toBe("onnxruntime");
  });

  const elsewhere = process.platform === "darwin" ? test.skip : test;
  elsewhere("is ONNX Runtime without a look for a BLAS, which takes time, where none was named", () => {
    const blas = jest.fn(absent);
    expect(chosen({ onnxruntime: library("onnxruntime", 1), blas }).provider!.name).toBe("onnxruntime");
    expect(blas).not.toHaveBeenCalled();
  });

  test("is a BLAS where that is clearly faster, or alone", () => {
    const faster = { onnxruntime: library("onnxruntime", 40), blas: library("blas", 1) };
    expect(naming("libfast.so", () => chosen(faster)).provider!.name).toBe("blas");
    const alone = { provider: { name: "blas" }, warning: "ONNX Runtime is not used: Cannot find module 'koffi'" };
    expect(chosen({ ...none, blas: library("blas", 1) })).toMatchObject(alone);
  });

  test("falls back on the engine's own, with a message that says why and what to do", () => {
    const { provider, warning } = chosen(none);
    expect(provider).toBeUndefined();
    expect(warning).toMatch(/slower: Cannot find module 'koffi'\. Install the optional packages/);
  });

  test("does not trust a library that computes wrongly", () => {
    const wrong = { ...onnxRuntime, calls: { product: () => undefined } };
    const { warning } = chosen({ ...none, onnxruntime: () => wrong });
    expect(warning).toMatch(/onnxruntime says that 2 \* 3 \+ 2 \* 5 is 7/);
  });

  test.each(["onnxruntime", "blas"] as const)(
    "is an error where %s was asked for by name and does not load",
    (name) => {
      expect(() => chooseProvider(name, none)).toThrow(userError("engine-unavailable"));
    },
  );

  test("a library that is named and is not there is an error that names it", () => {
    const refusal = userError("engine-unavailable", /blas .*\/nowhere\/libnone\.so/);
    naming("/nowhere/libnone.so", () => expect(() => chooseProvider("blas")).toThrow(refusal));
  });

  test("says so where the library that is named cannot be used", () => {
    const libraries = { onnxruntime: library("onnxruntime", 1), blas: loadBlas };
    const { warning } = naming("/nowhere/libnone.so", () => chosen(libraries));
    expect(warning).toMatch(/TOKENSIFT_BLAS names is not used: \/nowhere\/libnone\.so does not load/);
  });

  test("is the engine's own when asked for", () => {
    expect(chooseProvider("wasm", none)).toEqual({});
  });
});

describe("a damaged library", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tokensift-library-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The first `share` of the program that runs this test, which is a library's equal in form. */
  function cutOff(share: number): string {
    const path = join(folder, `cut-${share}`);
    const whole = readFileSync(process.execPath);
    writeFileSync(path, whole.subarray(0, Math.ceil(whole.length * share)));
    return path;
  }

  test("that is cut off is told from a whole one before it is loaded", () => {
    const cut = cutOff(0.5);
    if (process.platform === "linux") expect(() => requireWhole(cut)).toThrow(/cut-0\.5 is cut off: it has \d+ of/);
    expect(() => requireWhole(cutOff(1))).not.toThrow();
  });

  test("ends another process than this one", () => {
    const path = join(folder, "text.so");
    writeFileSync(path, "no library");
    expect(() => firstSoundBlas([cutOff(0.5)])).toThrow(/does not load|ends the process/);
    expect(() => firstSoundBlas([path, "/nowhere/libnone.so"])).toThrow(/none of .*text\.so, .* loads/);
  });
});
