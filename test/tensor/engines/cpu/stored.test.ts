import "@tensorflow/tfjs-layers";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { inRowBlocks, releaseCpuEngine, startCpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";
import type { CpuBackend } from "../../../../src/tensor/engines/cpu/backend.ts";
import * as ops from "../../../../src/tensor/ops/index.ts";
import { type StoredWeight, widened } from "../../../../src/tensor/stored-weight.ts";
import { openFile } from "../../../../src/model/weights/file.ts";
import { userError } from "../../../user-error.ts";
import { normal } from "../../compare.ts";
import { encodings, storedBytes, storedWeights } from "../../stored.ts";

const files = storedWeights();
afterAll(() => files.dispose());
afterEach(releaseCpuEngine);

const bits = (tensor: tf.Tensor): Buffer => Buffer.from(tensor.dataSync<"float32">().slice().buffer);
const numbers = normal("numbers", 2 ** 18);
/** Numbers that depend on the name alone. */
function matrix(name: string, rows: number, columns: number): tf.Tensor2D {
  const start = 1 + [...name].reduce((sum, letter) => 31 * sum + letter.charCodeAt(0), 7);
  const values = Float32Array.from({ length: rows * columns }, (_, i) => numbers[(start + i * 5) % numbers.length]!);
  return tf.tensor2d(values, [rows, columns]);
}

/** What `tf.tidy` does, which would take bytes that are given back for a list, and look for tensors in it. */
function tidied<Given>(compute: () => Given): Given {
  let given!: Given;
  tf.tidy(() => void (given = compute()));
  return given;
}

/** Outputs of `linears`, and the gradient of their input, for a frozen weight that is a tensor or stays in its file. */
function forwardAndBack(x: tf.Tensor2D, weights: readonly (tf.Tensor2D | StoredWeight)[]): Buffer[] {
  return tidied(() => {
    const dys = weights.map(({ shape }, i) => matrix(`dy${i}`, x.shape[0], shape[0]));
    const frozen = weights.map((weight) => (weight instanceof tf.Tensor ? tf.variable(weight, false) : weight));
    const outputs = ops.linears(x, frozen as tf.Tensor2D[]);
    const product = (input: tf.Tensor2D): tf.Scalar =>
      tf.addN(ops.linears(input, frozen as tf.Tensor2D[]).map((y, i) => tf.sum(tf.mul(y, dys[i]!))));
    const dx = tf.grad((input) => product(input as tf.Tensor2D))(x);
    frozen.forEach((weight) => weight instanceof tf.Variable && weight.dispose());
    return [...outputs, dx].map(bits);
  });
}

/**
 * Asks for the same bits, forward and backward, of weights in their file and of the same widened beforehand.
 * @param counts rows of the input
 */
function hasBitsOfWidened(counts: readonly number[], weights: readonly StoredWeight[]): void {
  const held = weights.map(widened);
  for (const rows of counts) {
    const x = matrix("x", rows, weights[0]!.shape[1]);
    const [inFile, inMemory] = [forwardAndBack(x, weights), forwardAndBack(x, held)];
    inFile.forEach((found, i) => expect([rows, i, Buffer.compare(found, inMemory[i]!)]).toEqual([rows, i, 0]));
    x.dispose();
  }
  tf.dispose(held);
}

const names = [...encodings.keys()];

describe("weights that stay in their file", () => {
  test.each(names)("%s is widened to the bits that decoding gives", async (name) => {
    await startCpuEngine({ threads: 2 });
    const encoding = encodings.get(name)!;
    const weight = files.make(name, [70, 1024]);
    const expected = new Float32Array(70 * 1024);
    encoding.decode(new Uint8Array(storedBytes(encoding, expected.length, "70,1024")), expected);
    const ids = Int32Array.from({ length: 70 }, (_, i) => i);
    const found = tidied(() => ops.embed(weight, ids).dataSync<"float32">());
    expect(
      Buffer.compare(Buffer.from(found.buffer, found.byteOffset, found.byteLength), Buffer.from(expected.buffer)),
    ).toBe(0);
  });

  test("every number of 16 bits is widened rightly", async () => {
    await startCpuEngine({ threads: 1 });
    const patterns = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    for (const name of ["F16", "BF16"]) {
      const weight = files.make(name, [64, 1024], { bytes: Buffer.from(patterns.buffer) });
      const expected = new Float32Array(65_536);
      encodings.get(name)!.decode(new Uint8Array(patterns.buffer), expected);
      const found = tidied(() =>
        ops
          .embed(
            weight,
            Int32Array.from({ length: 64 }, (_, i) => i),
          )
          .dataSync<"float32">(),
      );
      expect(Array.from(expected.keys()).filter((i) => !Object.is(found[i], expected[i]))).toEqual([]);
    }
  });

  test.each(["onnxruntime", "wasm"] as const)("give the bits of the widened matrix, with %s", async (matmul) => {
    await startCpuEngine({ threads: 2, matmul });
    for (const name of names) hasBitsOfWidened([40, 129], [files.make(name, [320, 256])]);
    // sizes at which products are cut, turned, and added up in other lengths
    const shapes: [number, number][] = [[64, 64], [48, 700], [513, 96], [2100, 1032]]; // prettier-ignore
    for (const shape of shapes) hasBitsOfWidened([1, 2, 17, 129], [files.make("BF16", shape)]);
  });

  test("of several, the gradients are added up as those of tensors are", async () => {
    await startCpuEngine({ threads: 2 });
    const weights = [files.make("BF16", [576, 576]), files.make("Q8_0", [192, 576]), files.make("F16", [192, 576])];
    hasBitsOfWidened([20, 257], weights);
  });

  test("whose rows are in pairs that rotate have them in the order of heads", async () => {
    await startCpuEngine({ threads: 2 });
    for (const head of [2, 64, 80]) {
      const weight = files.make("Q4_0", [12 * head, 128], { head });
      const plain = widened({ ...weight, head: 0 });
      // row 2 i + j of a head in the file is row j head / 2 + i
      const order = Array.from({ length: 12 * head }, (_, row) => {
        const inHead = row % head;
        return row - inHead + 2 * (inHead % (head / 2)) + (inHead < head / 2 ? 0 : 1);
      });
      const ordered = tf.gather(plain, order);
      expect(Buffer.compare(bits(widened(weight)), bits(ordered))).toBe(0);
      hasBitsOfWidened([1, 9, 129], [weight]);
      tf.dispose([plain, ordered]);
    }
    hasBitsOfWidened([130], [files.make("BF16", [30 * 96, 1024], { head: 96 })]);
  });

  test("beside tensors keep their place", async () => {
    await startCpuEngine({ threads: 2 });
    const weights = [files.make("BF16", [96, 64]), matrix("held", 30, 64), files.make("BF16", [32, 64])] as const;
    const x = matrix("x", 50, 64);
    const found = forwardAndBack(x, weights);
    expect(found.slice(0, 3)).toEqual(weights.map((weight) => forwardAndBack(x, [weight])[0]!));
  });

  test("give the bits of the widened matrix in blocks of rows", async () => {
    await startCpuEngine({ threads: 2 });
    const weight = files.make("Q4_K", [600, 512]);
    const held = widened(weight);
    for (const rows of [1, 2, 16, 40]) {
      const x = matrix("x", rows, 512);
      const [inFile, inMemory] = inRowBlocks(() => [ops.linear(x, weight), ops.linear(x, held)]);
      expect(Buffer.compare(bits(inFile!), bits(inMemory!))).toBe(0);
    }
  });

  test("give the bits of the widened matrix as an output embedding", async () => {
    await startCpuEngine({ threads: 2 });
    const weight = files.make("Q8_0", [9000, 96]);
    const held = widened(weight);
    const [hidden, rows] = [matrix("hidden", 300, 96), 300];
    const targets = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % 9000);
    const dLogProb = Float32Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 0 : 1 / (i + 1)));
    const asked = { entropy: true, entropyTop20: true, concentration: true };
    const results = [weight, held].map((table) => {
      const facts = ops.targetLogProbs(hidden, table, targets, asked);
      const { dHidden } = ops.targetLogProbsGradient(hidden, table, targets, dLogProb, { needEmbedding: false });
      const reference = { hidden, outputEmbedding: table };
      const own = { hidden: tf.mul<tf.Tensor2D>(hidden, 0.9), outputEmbedding: table };
      const kl = ops.forwardKl(own, reference);
      const back = ops.forwardKlGradient(own, reference, dLogProb, { needEmbedding: false });
      return [...Object.values(facts), dHidden, kl, back.dHidden].map(bits);
    });
    results[0]!.forEach((found, i) => expect([i, Buffer.compare(found, results[1]![i]!)]).toEqual([i, 0]));
  });

  test("are computed with where the operands lie in several memories", async () => {
    await startCpuEngine({ threads: 2 });
    const weights = [files.make("BF16", [576, 256]), files.make("Q6_K", [192, 256])];
    const x = matrix("x", 300, 256).dataSync<"float32">();
    const run = (): Buffer[] => tidied(() => forwardAndBack(tf.tensor2d(x, [300, 256]), weights));
    const expected = run();
    await startCpuEngine({ threads: 2, limits: { memoryBytes: 16 * 2 ** 20, bytes: 48 * 2 ** 20 } });
    const { arena } = (tf.backend() as CpuBackend).machine;
    const fill = [14, 14, 14].map((size) => arena.allocate(size * 2 ** 20));
    fill.forEach((place) => arena.free(place));
    expect(arena.memories.length).toBeGreaterThan(2);
    let count = 0;
    arena.allocate = (bytes) => arena.allocateIn(count++ % 3, bytes) ?? arena.refuse(bytes);
    expect(run()).toEqual(expected);
  });

  test("whose file ends early are a message, whichever thread reads", async () => {
    await startCpuEngine({ threads: 2 });
    const weight = files.make("BF16", [2000, 512]);
    const path = join(mkdtempSync(join(tmpdir(), "stored-")), "cut.bin");
    writeFileSync(path, Buffer.alloc(2000 * 512 * 2));
    const file = await openFile(path);
    truncateSync(path, 2000 * 512 - 3);
    const cut = { ...weight, file, offset: 0 };
    const x = matrix("x", 200, 512);
    const error = userError("file-changed", "cut.bin");
    expect(() => ops.linear(x, cut)).toThrow(error);
    expect(() => ops.linear(tf.slice(x, [0, 0], [1, 512]), cut)).toThrow(error);
    expect(() => ops.embed(cut, Int32Array.of(1999))).toThrow(error);
    await file.close();
    rmSync(dirname(path), { recursive: true });
    // and the engine goes on
    hasBitsOfWidened([40], [weight]);
  });

  test("have a plain definition on any engine", async () => {
    await startCpuEngine({ threads: 2 });
    const weight = files.make("Q5_1", [96, 64]);
    const x = matrix("x", 5, 64);
    const [fused] = [forwardAndBack(x, [weight])];
    const plain = ops.withPlainDefinitions(() => forwardAndBack(x, [weight]));
    expect(plain).toEqual(fused);
    const ids = Int32Array.of(3, 95, 3);
    const rows = tidied(() =>
      [ops.embed(weight, ids), ops.withPlainDefinitions(() => ops.embed(weight, ids))].map(bits),
    );
    expect(rows[1]).toEqual(rows[0]);
  });
});
