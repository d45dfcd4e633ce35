import { afterAll, expect, test } from "@jest/globals";
import {
  createAdapter,
  forward,
  gradientStore,
  withAdapter,
  type DecoderConfig,
  type LoraOptions,
} from "../../src/model/index.ts";
import { estimateTrainingMemory } from "../../src/model/memory.ts";
import { initializeModel } from "../../src/model/initialize.ts";
import { adamW } from "../../src/training/index.ts";
import { releaseCpuEngine, startCpuEngine } from "../../src/tensor/engines/cpu/start.ts";

afterAll(releaseCpuEngine);

const [rows, width] = [2, 64];
const shape: DecoderConfig = {
  family: "llama",
  vocabularySize: 64,
  width: 128,
  layers: 4,
  heads: 4,
  keyValueHeads: 2,
  headSize: 32,
  feedForwardWidth: 256,
  maxPositions: 256,
  epsilon: 1e-5,
  rope: { theta: 10_000 },
  tiedOutput: true,
  biases: [],
  initializerRange: 0.02,
  endOfText: [0],
};

function batchOf(width: number) {
  const tokens = rows * width;
  return {
    rows,
    width,
    rowIds: Float64Array.of(0, 1),
    lengths: new Int32Array(rows).fill(width),
    ids: new Int32Array(tokens).fill(3),
    response: new Uint8Array(tokens).fill(1),
    endOfTurn: new Uint8Array(tokens),
    columns: {},
  };
}

/** Bytes that a forward pass leaves behind for its gradient. */
async function kept(adapter: LoraOptions | undefined, gradientCheckpointing: boolean): Promise<number> {
  const { memory } = await startCpuEngine({ threads: 1 });
  const trunk = await initializeModel(shape, { seed: 1 });
  const model = adapter === undefined ? trunk : withAdapter(trunk, await createAdapter(trunk, adapter));
  if ("adapter" in model) (model as { adapter: { startStep(step: number): void } }).adapter.startStep(0);
  const batch = batchOf(width);
  const before = memory().bytesInUse;
  using pass = forward(model, batch, { gradients: gradientStore(), gradientCheckpointing });
  await pass.read(["logProb"]);
  return memory().bytesInUse - before;
}

const lora: [string, LoraOptions | undefined][] = [
  ["all weights", undefined],
  ["an adapter on all projections", { rank: 8 }],
  ["an adapter on q and v", { rank: 4, projections: ["q", "v"] }],
  ["an adapter on up and down", { rank: 4, projections: ["up", "down"] }],
  ["an adapter with dropout", { rank: 4, dropout: 0.1 }],
];
test.each(lora)("the estimate of activations is what a pass keeps, training %s", async (_, adapter) => {
  const options = { tokens: rows * width, responseTokens: rows * (width - 1), ...(adapter && { adapter }) };
  const { activations } = estimateTrainingMemory(shape, options);
  const measured = await kept(adapter, false);
  expect(Math.abs(activations / measured - 1)).toBeLessThan(0.05);
});

test("with gradient checkpointing a pass keeps the blocks' inputs, beside one block's activations in the backward pass", async () => {
  const options = { tokens: rows * width, responseTokens: rows * (width - 1) };
  const oneBlock =
    estimateTrainingMemory(shape, options).activations -
    estimateTrainingMemory({ ...shape, layers: 3 }, options).activations;
  const { activations } = estimateTrainingMemory(shape, { ...options, gradientCheckpointing: true });
  const measured = await kept(undefined, true);
  expect(Math.abs((activations - oneBlock) / measured - 1)).toBeLessThan(0.05);
});

test("moments and gradients are those of what is trained", () => {
  const options = { tokens: 10, responseTokens: 5 };
  const all = estimateTrainingMemory(shape, options);
  const some = estimateTrainingMemory(shape, { ...options, adapter: { rank: 2, projections: ["q"] } });
  expect(all.gradients).toBe(all.weights);
  expect(all.moments).toBe(2 * all.weights);
  expect(some.gradients).toBe(4 * 4 * 2 * (128 + 128)); // bytes, layers, rank, sides
  expect(some.weights).toBe(all.weights);
});

test.each([true, false])("the estimated peak is that of training steps, tied output: %s", async (tiedOutput) => {
  const { memory } = await startCpuEngine({ threads: 1 });
  // A large vocabulary and few tokens: weights, moments and gradients are nearly all there is.
  const wide = { ...shape, vocabularySize: 32_768, tiedOutput };
  const width = 4;
  const model = await initializeModel(wide, { seed: 1 });
  const optimizer = adamW(model.parameters);
  const gradients = gradientStore();
  for (let step = 1; step <= 2; step++) {
    using pass = forward(model, batchOf(width), { gradients });
    const { logProb } = await pass.read(["logProb"]);
    pass.backward({ logProb: logProb.map(() => -1 / 8) });
    optimizer.update(gradients, { learningRate: 1e-3, gradientScale: 1 });
    gradients.clear();
  }
  const { peak } = estimateTrainingMemory(wide, { tokens: rows * width, responseTokens: rows * (width - 1) });
  const program = 300e6;
  expect(Math.abs((peak - program) / memory().peakBytes - 1)).toBeLessThan(0.06);
});
