import "@tensorflow/tfjs-layers";
import { afterEach, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { gradientStore } from "../../../../src/model/index.ts";
import { initializeModel } from "../../../../src/model/initialize.ts";
import { parseDecoderConfig } from "../../../../src/model/config-file.ts";
import { full } from "../../../../src/selection/full.ts";
import { type ArenaLimits, createArena, memoryOf } from "../../../../src/tensor/engines/cpu/arena.ts";
import type { CpuBackend } from "../../../../src/tensor/engines/cpu/backend.ts";
import { inRowBlocks, releaseCpuEngine, startCpuEngine } from "../../../../src/tensor/engines/cpu/index.ts";
import type { MatmulChoice } from "../../../../src/tensor/engines/cpu/matmul/choose.ts";
import { signatures } from "../../../../src/tensor/engines/cpu/signatures.ts";
import { compileKernels, instantiateKernels } from "../../../../src/tensor/engines/cpu/wasm.ts";
import * as ops from "../../../../src/tensor/ops/index.ts";
import { adamW, planSignals } from "../../../../src/training/index.ts";
import { clippedUpdate } from "../../../../src/training/update.ts";
import { accumulateRule } from "../../../training/accumulate-rule.ts";
import { results } from "./results.ts";

afterEach(releaseCpuEngine);

const MiB = 2 ** 20;
const arenaNow = () => (tf.backend() as CpuBackend).machine.arena;
const bitsOf = (arrays: readonly Float32Array[]): string[] =>
  arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength).toString("base64"));

/** Lets the blocks of the current engine lie in three memories in turn, so that nearly every kernel has foreign operands. */
function scatter(): void {
  const arena = arenaNow();
  const fill = [14, 14].map((size) => arena.allocate(size * MiB));
  const third = arena.allocate(14 * MiB);
  [...fill, third].forEach((place) => arena.free(place));
  expect(arena.memories).toHaveLength(3);
  let count = 0;
  arena.allocate = (bytes) => arena.allocateIn(count++ % 3, bytes) ?? arena.refuse(bytes);
}

/** A product in blocks of rows. */
function inBlocks(): Float32Array {
  return tf.tidy(() => {
    const [x, weight] = [40, 300].map((rows) => tf.sin(tf.reshape(tf.range(0, rows * 70), [rows, 70])) as tf.Tensor2D);
    return inRowBlocks(() => ops.linear(x!, weight!)).dataSync<"float32">();
  });
}

describe("kernels whose operands lie in different memories", () => {
  test("every kernel over a range says which of its values are places", () => {
    const { kernels } = instantiateKernels(compileKernels(), createArena(), 0, 1);
    for (const [name, { values }] of Object.entries(signatures)) {
      expect({ name, values: kernels[name]?.length }).toEqual({ name, values: values.length + 2 });
    }
    const others = Object.keys(kernels).filter((name) => typeof kernels[name] === "function" && !(name in signatures));
    expect(others.sort()).toEqual([
      ...["attentionScratch", "gatedScratch", "isProductByLibrary", "product", "productBlocks", "productScratchBytes"],
      ...["productTasks", "setAddress", "setProductScratch", "setRank", "storedProducts", "useLibrary"],
    ]);
  });

  test.each(["onnxruntime", "wasm"] as const)("give the bits they give in one memory, with %s", async (matmul) => {
    await startCpuEngine({ threads: 2, matmul, limits: { bytes: 2 ** 32 } });
    const together = bitsOf([...results(), inBlocks()]);
    await startCpuEngine({ threads: 2, matmul, limits: { bytes: 48 * MiB, memoryBytes: 16 * MiB } });
    scatter();
    const apart = bitsOf([...results(), inBlocks()]);
    expect(apart.map((bits, i) => bits === together[i])).not.toContain(false);
  });
});

/** 1.7 million parameters: 6.6 MB of weights, 26 MB with gradients and moments. */
const config = parseDecoderConfig(
  {
    ...{ model_type: "llama", vocab_size: 6000, hidden_size: 128, intermediate_size: 256, num_hidden_layers: 6 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64, tie_word_embeddings: true },
  },
  "test",
);
const [rows, width] = [3, 40];
const slots = Array.from({ length: rows * width }, (_, i) => i);
const batch = {
  ...{ rows, width, rowIds: Float64Array.of(0, 1, 2), lengths: Int32Array.of(40, 33, 40), columns: {} },
  ids: Int32Array.from(slots, (i) => (i * 7919) % 6000),
  response: Uint8Array.from(slots, (i) => Number(i % width >= 5 && (i < width || i >= 2 * width || i % width < 33))),
  endOfTurn: new Uint8Array(rows * width),
};

/** Three steps of AdamW: the loss of each, the weights at the end, and where parameters, moments and gradients lie. */
async function train(matmul: MatmulChoice, threads: number, limits: ArenaLimits) {
  const engine = await startCpuEngine({ threads, matmul, limits });
  const model = await initializeModel(config, { seed: 3 });
  const optimizer = adamW(model.parameters, { weightDecay: 0.1 });
  const gradients = gradientStore();
  const losses: number[] = [];
  const memory: { bytesInUse: number; capacityBytes: number }[] = [];
  const places: number[][] = [];
  const backend = tf.backend() as CpuBackend;
  for (let step = 1; step <= 3; step++) {
    const context = { step, samplesSeen: 0, uniform: () => 0 };
    const plan = planSignals(full(), []);
    const { loss } = await accumulateRule({ model, rule: full(), plan, batches: [batch], context, gradients });
    losses.push(loss);
    await clippedUpdate(optimizer, gradients, { learningRate: 1e-3, clipNorm: 1, step });
    for (const { variable, name } of model.parameters) {
      const { m, v } = optimizer.moments().get(name)!;
      if (variable.size < 10_000 || step < 3) continue;
      places.push([variable, m, v, gradients.get(variable)!].map((tensor) => memoryOf(backend.placeOf(tensor))));
    }
    gradients.clear();
    memory.push(engine.memory());
  }
  const weights = model.parameters.map(({ variable }) => variable.dataSync<"float32">());
  return { losses, bits: bitsOf(weights), places, memory, memories: arenaNow().memories.length };
}

describe("training in several memories", () => {
  test.each([
    ["onnxruntime", 1],
    ["wasm", 2],
  ] as const)("gives the bits of one, with %s and threads: %d", async (matmul, threads) => {
    const one = await train(matmul, 2, { bytes: 2 ** 32 });
    const several = await train(matmul, threads, { bytes: 80 * MiB, memoryBytes: 20 * MiB });
    expect(one.memories).toBe(1);
    expect(several.memories).toBeGreaterThan(1);
    expect(several.losses).toEqual(one.losses);
    expect(several.losses[2]).toBeLessThan(several.losses[0]!);
    expect(several.bits.map((bits, i) => bits === one.bits[i])).not.toContain(false);
    // AdamW has all it needs in one memory, but for gradients in the first, which activations share.
    for (const [parameter, m, v, gradient] of several.places) {
      expect([m, v]).toEqual([parameter, parameter]);
      if (parameter !== 0) expect(gradient).toBe(parameter);
    }
    expect(several.memory[2]).toEqual(several.memory[1]);
  });
});
