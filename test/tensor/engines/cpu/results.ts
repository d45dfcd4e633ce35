import * as tf from "@tensorflow/tfjs-core";
import * as ops from "../../../../src/tensor/ops/index.ts";

const filled = new Map<string, Float32Array>();

/** Always the same numbers. */
function matrix(rows: number, columns: number): tf.Tensor2D {
  const key = `${rows} x ${columns}`;
  const values = filled.get(key) ?? Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 1.37 + rows));
  filled.set(key, values);
  return tf.tensor2d(values.slice(), [rows, columns]);
}

/** Results of every kind of threaded kernel, at sizes that are split into many tasks. */
export function results(): Float32Array[] {
  const outputs = tf.tidy(() => {
    const [x, w, few] = [matrix(300, 190), matrix(270, 190), matrix(5, 190)];
    const dy = matrix(300, 270);
    const options = { starts: Int32Array.of(0, 120, 121, 300), heads: 10, keyValueHeads: 5 };
    const capped = { ...options, softCap: 2, window: 50 };
    const promptKeys = Uint8Array.from({ length: 300 }, (_, i) => i % 2);
    const v = matrix(300, 95);
    const attention = ops.causalAttention(x, v, v, { ...options, promptKeys });
    const targets = Int32Array.from({ length: 300 }, (_, i) => i % 270);
    const dLogProb = Float32Array.from({ length: 300 }, (_, i) => (i % 3) / 7);
    const asked = { entropy: true, entropyTop20: true, concentration: true };
    const { concentration, ...facts } = ops.targetLogProbs(x, w, targets, asked);
    const head = ops.targetLogProbsGradient(x, w, targets, dLogProb, { needEmbedding: true });
    const cappedHead = ops.targetLogProbsGradient(x, w, targets, dLogProb, { needEmbedding: true, softCap: 3 });
    const variables = [x, x, tf.square(x)].map((start) => tf.variable(start));
    const settings = { learningRate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, weightDecay: 0, step: 1 };
    ops.adamwUpdate(variables[0]!, x, variables[1]!, variables[2]!, { ...settings, gradientScale: 1 });
    const outputs: tf.Tensor[] = [
      ...tf.grads((x, w) => ops.linear(x as tf.Tensor2D, w as tf.Tensor2D))([x, w], dy),
      ...tf.grads((x, w, other) => tf.concat(ops.linears(x as tf.Tensor2D, [w, other] as tf.Tensor2D[]), 1))(
        [x, w, matrix(30, 190)],
        matrix(300, 300),
      ),
      ...ops.linears(few, [matrix(2300, 190), w]),
      tf.matMul(few, matrix(2300, 190), false, true),
      tf.matMul(tf.slice(few, [0, 0], [1, 190]), matrix(11_100, 190), false, true),
      attention.output,
      attention.promptMass!,
      ...tf.grads(
        (q, k, v) => ops.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, options).output,
      )([x, v, v], x),
      ...tf.grads((q, k, v, gates) => {
        const gated = { ...options, evictable: promptKeys, reach: Int32Array.of(4, 1, 30) };
        return ops.gatedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, gates as tf.Tensor2D, gated);
      })([x, v, v, tf.sigmoid(matrix(300, 5))], x),
      ...tf.grads(
        (q, k, v) => ops.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, capped).output,
      )([x, v, v], x),
      ...tf.grads((q, k, v, gates) => {
        const gated = { ...capped, evictable: promptKeys, reach: Int32Array.of(4, 1, 30) };
        return ops.gatedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, gates as tf.Tensor2D, gated);
      })([x, v, v, tf.sigmoid(matrix(300, 5))], x),
      ops.cachedAttention(few, tf.reshape(v, [5, 60, 95]), tf.reshape(v, [5, 60, 95]), {
        ...{ lengths: Int32Array.of(1, 60, 17, 30, 4), heads: 10, keyValueHeads: 5 },
      }),
      ops.raggedAttention(few, matrix(1500, 19), matrix(1500, 19), {
        ...{ heads: 10, keyValueHeads: 5 },
        firsts: Int32Array.from({ length: 25 }, (_, run) => 50 * run),
        lengths: Int32Array.from({ length: 25 }, (_, run) => 1 + run),
      }),
      ops.rotary(x, matrix(300, 19), matrix(300, 19), 5),
      ops.rotary(x, matrix(300, 8), matrix(300, 8), 5),
      ops.activate(x, "gelu"),
      ...tf.grads((x) => ops.activate(x as tf.Tensor2D, "gelu-tanh"))([x], x),
      ...tf.grads((gate, up) => ops.gatedUnit(gate as tf.Tensor2D, up as tf.Tensor2D, "gelu"))([x, x], x),
      ops.gatedUnit(x, x, "gelu-tanh"),
      ops.softCap(x, 0.5),
      ...tf.grads((x, gain, bias) => ops.layerNorm(x as tf.Tensor2D, gain as tf.Tensor1D, bias as tf.Tensor1D, 1e-6))(
        [dy, tf.ones([270]), tf.ones([270])],
        dy,
      ),
      ...tf.grads((gate, up) => ops.swiglu(gate as tf.Tensor2D, up as tf.Tensor2D))([x, x], x),
      ...tf.grads((table) => ops.embed(table as tf.Tensor2D, targets))([w], x),
      ...Object.values(facts),
      tf.log(concentration!), // as exact as the logits
      head.dHidden,
      head.dOutputEmbedding!,
      cappedHead.dHidden,
      cappedHead.dOutputEmbedding!,
      ...tf.grads((x, gain) => ops.rmsNorm(x as tf.Tensor2D, gain as tf.Tensor1D, 1e-6))([dy, tf.ones([270])], dy),
      ops.sumOfSquares(dy),
      tf.softmax(dy),
      tf.max(dy, 1),
      tf.cast(tf.argMax(dy, 1), "float32"),
      tf.add(dy, dy),
      variables[0]!,
    ];
    return outputs.map((tensor) => tf.keep(tf.clone(tensor)));
  });
  tf.disposeVariables();
  const values = outputs.map((tensor) => tensor.dataSync<"float32">());
  tf.dispose(outputs);
  return values;
}
