import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../../src/contract/index.ts";
import type { Decoder, DecoderConfig } from "../../src/model/index.ts";
import { forward, gradientStore } from "../../src/model/index.ts";
import { stream } from "../../src/system/random.ts";
import { adamwUpdate } from "../../src/tensor/ops/index.ts";

/** AdamW as in test/fixtures/model/train.py. */
const settings = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8 };
const weightDecay = 0.1;

/**
 * Fine-tunes in two phases: mean negative log-probability of the response, clipped to norm 1, AdamW.
 * @param batchOf the batch of a step, from 1
 * @param afterStep called with the loss of a step when its update is done
 */
export async function train(
  decoder: Decoder,
  steps: number,
  batchOf: (step: number) => TokenBatch,
  afterStep: (loss: number) => void,
): Promise<void> {
  const gradients = gradientStore();
  const zeros = (like: tf.Tensor): tf.Variable => tf.tidy(() => tf.variable(tf.zeros(like.shape)));
  const moments = decoder.parameters.map(({ variable }) => [zeros(variable), zeros(variable)] as const);
  for (let step = 1; step <= steps; step++) {
    const batch = batchOf(step);
    const kept = batch.response.reduce((a, b) => a + b, 0);
    using pass = forward(decoder, batch, { gradients });
    const { logProb } = await pass.read(["logProb"]);
    pass.backward({ logProb: Float32Array.from(batch.response, (trained) => -trained / kept) });
    const gradientScale = Math.min(1, 1 / (await gradients.globalNorm()));
    decoder.parameters.forEach(({ variable, decay }, i) => {
      const own = { ...settings, step, gradientScale, weightDecay: decay ? weightDecay : 0 };
      adamwUpdate(variable, gradients.get(variable)!, ...moments[i]!, own);
    });
    gradients.clear();
    afterStep(-logProb.reduce((a, b) => a + b, 0) / kept);
  }
  tf.dispose(moments.flat());
}

/** A model whose products are large enough to be shared among threads. */
export const sharedWork: DecoderConfig = {
  family: "llama",
  vocabularySize: 1024,
  width: 128,
  layers: 2,
  heads: 4,
  keyValueHeads: 2,
  headSize: 32,
  feedForwardWidth: 256,
  maxPositions: 512,
  epsilon: 1e-5,
  rope: { theta: 10_000 },
  tiedOutput: true,
  biases: [],
  initializerRange: 0.05,
  endOfText: [],
};

/** A batch of random tokens with rows of random lengths; the same for the same step. */
export function randomBatch(step: number, rows: number, width: number, vocabulary: number): TokenBatch {
  const random = stream("random batch", step);
  const lengths = Int32Array.from({ length: rows }, () => 2 + random.below(width - 1));
  const inRow = (i: number): boolean => i % width < lengths[Math.floor(i / width)]!;
  const mask = Uint8Array.from({ length: rows * width }, (_, i) => Number(inRow(i) && i % width > 0));
  return {
    rows,
    width,
    rowIds: Float64Array.from({ length: rows }, (_, row) => row),
    ids: Int32Array.from(mask, (_, i) => (inRow(i) ? random.below(vocabulary) : 0)),
    lengths,
    response: mask,
    endOfTurn: new Uint8Array(rows * width),
    columns: {},
  };
}
