import * as tf from "@tensorflow/tfjs-core";
import { stream } from "../src/system/random.ts";
import { engineText, useEngine } from "../src/tensor/engine.ts";
import * as op from "../src/tensor/ops/index.ts";
import { recordTape } from "../src/tensor/tape.ts";
import { measurePeak } from "./harness/peak.ts";
import { timePerCall, type Contender } from "./harness/serve.ts";
import type { OpsSettings } from "./ops.ts";

/** Our side: every operation with its inputs, ready to be called by name. */
export async function contendOps(settings: OpsSettings): Promise<Contender> {
  const { threads, matmul, seconds } = settings;
  const engine = await useEngine("cpu", { threads, matmul });
  const peakGflops = await measurePeak(settings);
  const calls = operations(settings);
  for (const call of Object.values(calls)) call();
  return {
    about: `tokensift on ${engineText(engine)}`,
    peakGflops,
    round: ({ operation }: { operation: string }) => timePerCall(seconds, calls[operation]!),
  };
}

function operations(settings: OpsSettings): Record<string, () => void> {
  const { rows, width, hidden, heads, feedForward, vocabulary, longWidth } = settings;
  const tokens = rows * width;
  const draw = stream("bench", "operations");
  const indices = (): Int32Array => Int32Array.from({ length: tokens }, () => draw.below(vocabulary));

  const [x, dx] = [variable(tokens, hidden), tensor(tokens, hidden)];
  const weight = variable(feedForward, hidden);
  const gain = tf.variable(tf.ones<tf.Rank.R1>([hidden]));
  const [gate, up, dGated] = [
    variable(tokens, feedForward),
    variable(tokens, feedForward),
    tensor(tokens, feedForward),
  ];
  const [table, gradient] = [variable(vocabulary, hidden), tensor(vocabulary, hidden)];
  const [m, v] = [fixed(vocabulary, hidden), fixed(vocabulary, hidden)];
  const [cos, sin] = [tensor(tokens, hidden / heads / 2), tensor(tokens, hidden / heads / 2)];
  const [ids, targets] = [indices(), indices()];
  const dLogProb = new Float32Array(tokens).fill(-1 / tokens);

  const attention = (starts: Int32Array): (() => void) => {
    const count = starts.at(-1)!;
    const [q, k, value] = [variable(count, hidden), variable(count, hidden), variable(count, hidden)];
    const dOutput = tensor(count, hidden);
    const layout = { starts, heads, keyValueHeads: heads };
    return bothWays(() => op.causalAttention(q, k, value, layout).output, dOutput);
  };
  const adamw = { learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, step: 10 };
  return {
    linear: bothWays(() => op.linear(x, weight), dGated),
    attention: attention(Int32Array.from({ length: rows + 1 }, (_, row) => row * width)),
    attentionLong: attention(Int32Array.of(0, longWidth)),
    targetLogProbs: () => {
      op.targetLogProbs(x, table, targets).logProb.dispose();
      const gradients = op.targetLogProbsGradient(x, table, targets, dLogProb, { needEmbedding: true });
      tf.dispose([gradients.dHidden, gradients.dOutputEmbedding!]);
    },
    rmsNorm: bothWays(() => op.rmsNorm(x, gain, 1e-5), dx),
    swiglu: bothWays(() => op.swiglu(gate, up), dGated),
    rotary: bothWays(() => op.rotary(x, cos, sin, heads), dx),
    embed: bothWays(() => op.embed(table, ids), dx),
    adamw: () => op.adamwUpdate(table, gradient, m, v, { ...adamw, gradientScale: 0.5 }),
    sumOfSquares: () => op.sumOfSquares(gradient).dispose(),
  };
}

/** Runs the operation and its gradient from `dy`. */
function bothWays(forward: () => tf.Tensor2D, dy: tf.Tensor2D): () => void {
  return () => {
    const tape = recordTape(forward);
    tape.backward([[tape.result, dy]], (_, gradient) => gradient.dispose());
    tape.dispose();
  };
}

/** Normal numbers as an input that receives a gradient. */
function variable(rows: number, columns: number): tf.Variable<tf.Rank.R2> {
  return tf.tidy(() => tf.variable(tf.randomNormal<tf.Rank.R2>([rows, columns])));
}

function fixed(rows: number, columns: number): tf.Variable<tf.Rank.R2> {
  return tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R2>([rows, columns]), false));
}

function tensor(rows: number, columns: number): tf.Tensor2D {
  return tf.randomNormal([rows, columns]);
}
