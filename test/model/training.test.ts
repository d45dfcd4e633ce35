import { execFileSync } from "node:child_process";
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { initializeModel } from "../../src/model/initialize.ts";
import { releaseCpuEngine, startCpuEngine } from "../../src/tensor/engines/cpu/index.ts";
import { loadBlas } from "../../src/tensor/engines/cpu/matmul/blas.ts";
import { bundledProgram } from "../program.ts";
import {
  distance,
  enginesHere,
  fixture,
  openDecoder,
  readReference,
  readTensors,
  referenceBatch,
} from "./reference.ts";
import { randomBatch, sharedWork, train } from "./train.ts";

describe.each(enginesHere().map((engine) => ({ engine })))("training on the $engine engine", ({ engine }) => {
  test("gives PyTorch's losses and weights after twenty steps, and leaks nothing", async () => {
    const batch = referenceBatch(readReference("tied"));
    const expected = await readTensors(fixture("tied", "trained.safetensors"));
    const decoder = await openDecoder("tied", engine);
    const before = tf.memory().numTensors;
    const losses: number[] = [];
    await train(
      decoder,
      20,
      () => batch,
      (loss) => losses.push(loss),
    );
    expect(distance(losses, expected.get("losses")!)).toBeLessThan(1e-4);
    for (const { name, variable } of decoder.parameters)
      expect(distance(await variable.data(), expected.get(name)!)).toBeLessThan(1e-4);
    expect(tf.memory().numTensors).toBe(before);
    decoder.dispose();
  }, 300_000); // a software GPU is slow
});

describe("long training on the cpu engine", () => {
  afterEach(releaseCpuEngine);

  test("holds the same tensors and bytes after every step, and no more memory than its largest batch needs", async () => {
    const { memory } = await startCpuEngine({ threads: 2 });
    const decoder = await initializeModel(sharedWork, { seed: 1 });
    const held: [tensors: number, bytes: number][] = [];
    const peaks: number[] = [];
    // ragged batches, the same ten again and again
    const batchOf = (step: number) => randomBatch(step % 10, 2, 64, sharedWork.vocabularySize);
    await train(decoder, 40, batchOf, () => {
      held.push([tf.memory().numTensors, memory().bytesInUse]);
      peaks.push(memory().capacityBytes);
    });
    expect(new Set(held.map(String)).size).toBe(1);
    expect(peaks.at(-1)).toBe(peaks[19]);
    decoder.dispose();
  });
});

describe("the same training in another process", () => {
  const providers = ["auto", "wasm", ...blasHere()];
  let program: string;
  const digests = (...threads: string[]): string[] => {
    const args = [program, providers.join(","), ...threads];
    const printed = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return printed.trim().split("\n");
  };

  let [two, others]: [two: string[], others: string[]] = [[], []];
  beforeAll(async () => {
    program = await bundledProgram({ file: "test/model/five-steps.ts" });
    [two, others] = [digests("2"), digests("1", "3")];
  });

  test.each(providers.map((matmul, i) => [matmul, i] as const))(
    "gives the same bits, whatever the number of threads, with matmul %s",
    (_, i) => {
      expect(two[i]).toMatch(/^[0-9a-f]{64}$/);
      expect(others.slice(2 * i, 2 * i + 2)).toEqual([two[i], two[i]]);
    },
  );
});

function blasHere(): string[] {
  try {
    loadBlas();
    return ["blas"];
  } catch (error) {
    process.stdout.write(`Training with BLAS is not tested: ${(error as Error).message}\n`);
    return [];
  }
}
