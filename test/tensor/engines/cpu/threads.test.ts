import "@tensorflow/tfjs-layers";
import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { createArena } from "../../../../src/tensor/engines/cpu/arena.ts";
import { createMachine } from "../../../../src/tensor/engines/cpu/machine.ts";
import { releaseCpuEngine, startCpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";
import { startPool } from "../../../../src/tensor/engines/cpu/pool.ts";
import { multiply } from "../../../../src/tensor/engines/cpu/product.ts";
import { compileKernels, instantiateKernels } from "../../../../src/tensor/engines/cpu/wasm.ts";
import { bundledProgram } from "../../../program.ts";
import { results } from "./results.ts";

afterEach(releaseCpuEngine);

describe("threads", () => {
  const byProduct: Float32Array[][] = [];
  test.each(["onnxruntime", "wasm"] as const)("any number of them gives the same bits, with %s", async (matmul) => {
    const byThreads: Float32Array[][] = [];
    for (const threads of [1, 2, 3]) {
      const engine = await startCpuEngine({ threads, matmul });
      expect(engine.threads).toBe(threads);
      expect(engine.provider).toMatch(new RegExp(`^${matmul}`));
      byThreads.push(results());
      if (threads === 3) byThreads.push(results());
    }
    const bits = byThreads.map((outputs) => outputs.map(({ buffer }) => Buffer.from(buffer)));
    for (const other of bits.slice(1)) expect(other.map((each, i) => each.equals(bits[0]![i]!))).not.toContain(false);
    byProduct.push(byThreads[0]!);
  });

  test("both products agree to 1e-5", () => {
    expect(byProduct).toHaveLength(2);
    const [library, own] = byProduct as [Float32Array[], Float32Array[]];
    own.forEach((values, i) => {
      const size = library[i]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = values.reduce((most, value, j) => Math.max(most, Math.abs(value - library[i]![j]!)), 0);
      expect(worst).toBeLessThan(1e-5 * size);
    });
  });

  test("every task of a job is done once, by whichever thread", async () => {
    const machine = createMachine(3, "wasm");
    await machine.ready;
    const [n, width] = [1000, 128];
    const at = machine.arena.allocate(n * width * 4);
    machine.arena.float32(at, n * width).fill(1);
    // In place, x <- x + x: a task done twice, or not at all, would not leave 2^round.
    for (let round = 1; round <= 20; round++) {
      machine.run("binarySame", (n * width) / 16, 65_536, 0, at, at, at);
      expect(machine.arena.float32(at, n * width).every((value) => value === 2 ** round)).toBe(true);
    }
    machine.dispose();
  });

  test("a failure in a task reaches the caller, and the next job runs", async () => {
    const machine = createMachine(2, "onnxruntime");
    await machine.ready;
    const sizes = { transA: false, transB: false, M: 2000, N: 64, K: 64 };
    const beyond = 2 ** 31;
    expect(() => machine.run("softmaxRows", 50, 65_536, beyond, beyond, 100_000)).toThrow(/out of bounds/);
    const [a, b, c] = [2000 * 64, 64 * 64, 2000 * 64].map((length) => machine.arena.allocate(length * 4));
    machine.arena.float32(a!, 2000 * 64).fill(1);
    machine.arena.float32(b!, 64 * 64).fill(2);
    multiply(machine, { ...sizes, a: a!, b: b!, c: c! });
    expect(machine.arena.float32(c!, 2000 * 64).every((value) => value === 128)).toBe(true);
    machine.dispose();
  });

  test("a thread that cannot start is named in a warning, and the others do its share", async () => {
    const warnings = jest.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const arena = createArena();
    const module = compileKernels();
    const first = instantiateKernels(module, arena, 0, 3);
    const pool = startPool(3, arena, module, first, {
      koffi: "/nowhere",
      bind: () => ({ product: () => undefined }),
      handles: [],
    });
    await pool.ready;
    expect(warnings.mock.calls).toHaveLength(2);
    expect(warnings.mock.calls[0]![0]).toMatch(/thread of the cpu engine ended.*\/nowhere/s);
    warnings.mockRestore();
    const at = arena.allocate(1000 * 16 * 4);
    arena.float32(at, 16_000).fill(1);
    pool.run(0, "binarySame", [0, at, at, at], 1000, 10);
    expect(arena.float32(at, 16_000).every((value) => value === 2)).toBe(true);
    pool.dispose();
  });

  test("idle workers do not keep the process alive", async () => {
    const text = `
      import { startCpuEngine } from "./src/tensor/engines/cpu/index.ts";
      console.log((await startCpuEngine({ threads: 3 })).threads);`;
    const args = [await bundledProgram({ text })];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 }).trim()).toBe("3");
  });
});
