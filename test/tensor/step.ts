import * as tf from "@tensorflow/tfjs-core";
import * as ops from "../../src/tensor/ops/index.ts";
import { recordTape } from "../../src/tensor/tape.ts";
import type { Numbers } from "./compare.ts";
import { normal, read } from "./compare.ts";

const [vocabulary, width, inner, heads, keyValueHeads, d] = [13, 12, 20, 3, 1, 4];
const starts = Int32Array.of(0, 6, 7, 11);
const ids = Int32Array.of(1, 5, 2, 7, 7, 3, 4, 12, 0, 1, 9);
const targets = Int32Array.of(5, 2, 7, 7, 3, 6, 8, 0, 1, 9, 11);
const promptKeys = Uint8Array.of(1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0);

/**
 * Trains a one-block transformer with tied embeddings for three steps: forward, read, decide on the host, backward,
 * clip, AdamW. Gives the log-probabilities of every step, the last prompt mass and the final weights.
 */
export async function trainThreeSteps(): Promise<Numbers> {
  const weights = initialWeights();
  const moments = Object.entries(weights).map(([, w]) => [zeros(w), zeros(w)] as const);
  const numbers: Numbers = {};
  for (let step = 1; step <= 3; step++) {
    const tape = recordTape(() => tf.tidy(() => trunk(weights)));
    const facts = ops.targetLogProbs(tape.result.hidden, weights.embedding, targets);
    numbers[`logProb ${step}`] = (await read({ logProb: facts.logProb })).logProb!;
    numbers.promptMass = (await read({ mass: tape.result.promptMass })).mass!;
    facts.logProb.dispose();
    // trains the responses, and of those only the tokens that are not yet likely
    const chosen = numbers[`logProb ${step}`]!.map((logProb, i) =>
      promptKeys[i] === 0 && logProb < -0.5 ? -1 / 6 : 0,
    );
    const head = ops.targetLogProbsGradient(tape.result.hidden, weights.embedding, targets, chosen, {
      needEmbedding: true,
    });
    const gradients = new Map<tf.Variable, tf.Tensor>([[weights.embedding, head.dOutputEmbedding!]]);
    tape.backward([[tape.result.hidden, head.dHidden]], (variable, gradient) => {
      const before = gradients.get(variable);
      gradients.set(variable, before === undefined ? gradient : tf.add(before, gradient));
      if (before !== undefined) tf.dispose([before, gradient]);
    });
    await update(Object.values(weights), gradients, moments, step);
    tf.dispose([head.dHidden, ...gradients.values()]);
    tape.dispose();
  }
  Object.assign(numbers, await read(weights));
  tf.dispose([Object.values(weights), moments.flat()]);
  return numbers;
}

type Weights = ReturnType<typeof initialWeights>;

function initialWeights() {
  return {
    embedding: matrix("embedding", vocabulary, width),
    gain: tf.tidy(() => tf.variable(tf.ones([width]))) as tf.Variable<tf.Rank.R1>,
    query: matrix("query", heads * d, width),
    key: matrix("key", keyValueHeads * d, width),
    value: matrix("value", keyValueHeads * d, width),
    output: matrix("output", width, heads * d),
    gate: matrix("gate", inner, width),
    up: matrix("up", inner, width),
    down: matrix("down", width, inner),
  };
}

function trunk(w: Weights): { hidden: tf.Tensor2D; promptMass: tf.Tensor1D } {
  const angles = Array.from(ids, (_, i) => [i * 0.3, i * 0.1]);
  const [cos, sin] = [
    tf.tensor2d(angles.map((row) => row.map(Math.cos))),
    tf.tensor2d(angles.map((row) => row.map(Math.sin))),
  ];
  const x = ops.embed(w.embedding, ids);
  const n = ops.rmsNorm(x, w.gain, 1e-5);
  const q = ops.rotary(ops.linear(n, w.query), cos, sin, heads);
  const k = ops.rotary(ops.linear(n, w.key), cos, sin, keyValueHeads);
  const attended = ops.causalAttention(q, k, ops.linear(n, w.value), { starts, heads, keyValueHeads, promptKeys });
  const y: tf.Tensor2D = tf.add(x, ops.linear(attended.output, w.output));
  const m = ops.rmsNorm(y, w.gain, 1e-5);
  const z: tf.Tensor2D = tf.add(y, ops.linear(ops.swiglu(ops.linear(m, w.gate), ops.linear(m, w.up)), w.down));
  return { hidden: ops.rmsNorm(z, w.gain, 1e-5), promptMass: attended.promptMass! };
}

/** Clips the gradients to norm 1 and updates every weight. */
async function update(
  weights: tf.Variable[],
  gradients: Map<tf.Variable, tf.Tensor>,
  moments: (readonly [tf.Variable, tf.Variable])[],
  step: number,
): Promise<void> {
  const squares = tf.tidy(() =>
    [...gradients.values()].map((gradient) => ops.sumOfSquares(gradient)).reduce((a, b) => tf.add(a, b)),
  );
  const norm = Math.sqrt((await squares.data())[0]!);
  squares.dispose();
  const settings = { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
  const gradientScale = Math.min(1, 1 / norm);
  weights.forEach((weight, i) =>
    ops.adamwUpdate(weight, gradients.get(weight)!, ...moments[i]!, { ...settings, step, gradientScale }),
  );
}

function matrix(name: string, rows: number, columns: number): tf.Variable<tf.Rank.R2> {
  const values = normal(name, rows * columns).map((value) => value / Math.sqrt(columns));
  return tf.tidy(() => tf.variable(tf.tensor2d(values, [rows, columns]))) as tf.Variable<tf.Rank.R2>;
}

function zeros(like: tf.Tensor): tf.Variable {
  return tf.tidy(() => tf.variable(tf.zeros(like.shape)));
}
