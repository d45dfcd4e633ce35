import * as tf from "@tensorflow/tfjs-core";
import * as ops from "../../src/tensor/ops/index.ts";
import type { Numbers } from "./compare.ts";
import { read, valuesAndGradients } from "./compare.ts";

/** Arguments of one case: `{ shape, values }` for a tensor, plain numbers and number lists for the rest. */
export type Arguments = Record<string, unknown>;
export interface PackedTensor {
  shape: number[];
  values: ArrayLike<number>;
}

/** Runs one operation on a case's arguments; gives its outputs and gradients by name. */
export type Runner = (given: Arguments) => Promise<Numbers>;

const everyFact = { entropy: true, entropyTop20: true, concentration: true } as const;

export const runners: Record<string, Runner> = {
  embed: (given) =>
    differentiated(given, ["table"], ({ table }) => ({
      output: ops.embed(table as tf.Tensor2D, indices(given.ids)),
    })),

  linear: (given) =>
    differentiated(given, ["x", "weight", "bias"], ({ x, weight, bias }) => ({
      output: ops.linear(x as tf.Tensor2D, weight as tf.Tensor2D, bias as tf.Tensor1D | undefined),
    })),

  rmsNorm: (given) =>
    differentiated(given, ["x", "gain"], ({ x, gain }) => ({
      output: ops.rmsNorm(x as tf.Tensor2D, gain as tf.Tensor1D, given.epsilon as number),
    })),

  layerNorm: (given) =>
    differentiated(given, ["x", "gain", "bias"], ({ x, gain, bias }) => ({
      output: ops.layerNorm(x as tf.Tensor2D, gain as tf.Tensor1D, bias as tf.Tensor1D, given.epsilon as number),
    })),

  softCap: (given) => differentiated(given, ["x"], ({ x }) => ({ output: ops.softCap(x!, given.cap as number) })),

  activate: (given) =>
    differentiated(given, ["x"], ({ x }) => ({
      output: ops.activate(x as tf.Tensor2D, given.activation as ops.Activation),
    })),

  gatedUnit: (given) =>
    differentiated(given, ["gate", "up"], ({ gate, up }) => ({
      output: ops.gatedUnit(gate as tf.Tensor2D, up as tf.Tensor2D, given.activation as ops.Activation),
    })),

  splitColumns: (given) =>
    differentiated(given, ["x"], ({ x }) => {
      const parts = ops.splitColumns(x as tf.Tensor2D, given.widths as number[]);
      return {
        output: tf.concat(
          parts.map((part, i) => tf.mul(part, i + 1)),
          1,
        ),
      };
    }),

  rotary: (given) =>
    withTensors(given, ["cos", "sin"], ({ cos, sin }) =>
      differentiated(given, ["x"], ({ x }) => ({
        output: ops.rotary(x as tf.Tensor2D, cos as tf.Tensor2D, sin as tf.Tensor2D, given.heads as number),
      })),
    ),

  causalAttention: (given) =>
    differentiated(given, ["q", "k", "v"], ({ q, k, v }) => ({
      ...ops.causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, {
        starts: indices(given.starts),
        ...factsOf(given),
        promptKeys: given.promptKeys === undefined ? undefined : Uint8Array.from(given.promptKeys as number[]),
      }),
    })),

  gatedAttention: (given) =>
    differentiated(given, ["q", "k", "v", "gates"], ({ q, k, v, gates }) => ({
      output: ops.gatedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, gates as tf.Tensor2D, {
        starts: indices(given.starts),
        reach: indices(given.reach),
        evictable: Uint8Array.from(given.evictable as number[]),
        ...factsOf(given),
      }),
    })),

  attentionSums: (given) =>
    withTensors(given, ["q", "k"], async ({ q, k }) => {
      const options = { weights: Float32Array.from(given.weights as number[]), ...factsOf(given) };
      return freed({ output: ops.attentionSums(q as tf.Tensor2D, k as tf.Tensor2D, options) });
    }),

  attentionPeaks: (given) =>
    withTensors(given, ["q", "k"], async ({ q, k }) => {
      const [starts, reach] = [indices(given.starts), indices(given.reach)];
      const queries = Uint8Array.from(given.queries as number[]);
      const of = given.of as "peak" | "sum";
      const options = { starts, reach, queries, of, ...factsOf(given) };
      return freed({ output: ops.attentionPeaks(q as tf.Tensor2D, k as tf.Tensor2D, options) });
    }),

  raggedAttention: (given) =>
    withTensors(given, ["q", "keys", "values"], async ({ q, keys, values }) => {
      const options = { firsts: indices(given.firsts), lengths: indices(given.lengths), ...factsOf(given) };
      const cache = [keys as tf.Tensor2D, values as tf.Tensor2D] as const;
      return freed({ output: ops.raggedAttention(q as tf.Tensor2D, ...cache, options) });
    }),

  cachedAttention: (given) =>
    withTensors(given, ["q", "keys", "values"], async ({ q, keys, values }) => {
      const firsts = given.firsts === undefined ? undefined : indices(given.firsts);
      const options = { lengths: indices(given.lengths), firsts, ...factsOf(given), ...rowsOf(given) };
      const cache = [keys as tf.Tensor3D, values as tf.Tensor3D] as const;
      return freed({ output: ops.cachedAttention(q as tf.Tensor2D, ...cache, options) });
    }),

  swiglu: (given) =>
    differentiated(given, ["gate", "up"], ({ gate, up }) => ({
      output: ops.swiglu(gate as tf.Tensor2D, up as tf.Tensor2D),
    })),

  targetLogProbs: (given) =>
    withTensors(given, ["hidden", "outputEmbedding"], async (tensors) => {
      const [hidden, embedding] = [tensors.hidden as tf.Tensor2D, tensors.outputEmbedding as tf.Tensor2D];
      const targets = indices(given.targets);
      const softCap = given.softCap as number | undefined;
      const facts = ops.targetLogProbs(hidden, embedding, targets, { ...everyFact, softCap });
      const dLogProb = Float32Array.from(given.dLogProb as number[]);
      const both = ops.targetLogProbsGradient(hidden, embedding, targets, dLogProb, { needEmbedding: true, softCap });
      const gradients = { dhidden: both.dHidden, doutputEmbedding: both.dOutputEmbedding! };
      return freed({ ...facts, ...gradients });
    }),

  forwardKl: (given) =>
    withTensors(
      given,
      ["hidden", "outputEmbedding", "referenceHidden", "referenceEmbedding"],
      async ({ hidden, outputEmbedding, referenceHidden, referenceEmbedding }) => {
        const { softCap, referenceCap } = given;
        const model = { hidden, outputEmbedding, softCap } as ops.OutputHead;
        const other = { hidden: referenceHidden, outputEmbedding: referenceEmbedding, softCap: referenceCap };
        const reference = other as ops.OutputHead;
        const kl = ops.forwardKl(model, reference);
        const dKl = Float32Array.from(given.dKl as number[]);
        const both = ops.forwardKlGradient(model, reference, dKl, { needEmbedding: true });
        return freed({ kl, dhidden: both.dHidden, doutputEmbedding: both.dOutputEmbedding! });
      },
    ),

  adamw: async (given) => {
    const state = { parameter: variable(given.parameter), m: zeros(given.parameter), v: zeros(given.parameter) };
    for (const [i, packed] of (given.gradients as PackedTensor[]).entries()) {
      const gradient = tensorOf(packed);
      ops.adamwUpdate(state.parameter, gradient, state.m, state.v, {
        learningRate: given.learningRate as number,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weightDecay: given.weightDecay as number,
        step: i + 1,
        gradientScale: given.gradientScale as number,
      });
      gradient.dispose();
    }
    return freed(state);
  },

  sumOfSquares: (given) => withTensors(given, ["x"], async ({ x }) => freed({ output: ops.sumOfSquares(x!) })),

  writeCache: async (given) => {
    const cache = variable(given.cache) as tf.Variable<tf.Rank.R3>;
    return withTensors(given, ["entries"], async ({ entries }) => {
      ops.writeCache(cache, entries as tf.Tensor2D, indices(given.positions), rowsOf(given).rows);
      return freed({ cache });
    });
  },
};

export function tensorOf(packed: unknown): tf.Tensor {
  const { shape, values } = packed as PackedTensor;
  return tf.tensor(Float32Array.from(values), shape);
}

function variable(packed: unknown): tf.Variable {
  return tf.tidy(() => tf.variable(tensorOf(packed)));
}

function zeros(packed: unknown): tf.Variable {
  return tf.tidy(() => tf.variable(tf.zeros((packed as PackedTensor).shape)));
}

/** How a case's attention reads heads and scores. */
function factsOf({ heads, keyValueHeads, scale, softCap, window }: Arguments): ops.AttentionFacts {
  return { heads, keyValueHeads, scale, softCap, window } as ops.AttentionFacts;
}

/** Rows of a cache, where the case names them. */
function rowsOf({ rows }: Arguments): { rows?: Int32Array } {
  return rows === undefined ? {} : { rows: indices(rows) };
}

function indices(values: unknown): Int32Array {
  return Int32Array.from(values as ArrayLike<number>);
}

async function freed(tensors: object): Promise<Numbers> {
  const named = { ...tensors } as Record<string, tf.Tensor>;
  const numbers = await read(named);
  tf.dispose(named);
  return numbers;
}

async function withTensors(
  given: Arguments,
  names: string[],
  body: (tensors: Record<string, tf.Tensor>) => Promise<Numbers>,
): Promise<Numbers> {
  const present = names.filter((name) => given[name] !== undefined);
  const tensors = Object.fromEntries(present.map((name) => [name, tensorOf(given[name])]));
  try {
    return await body(tensors);
  } finally {
    tf.dispose(tensors);
  }
}

function differentiated(
  given: Arguments,
  names: string[],
  build: (inputs: Record<string, tf.Tensor>) => Record<string, tf.Tensor>,
): Promise<Numbers> {
  return withTensors(given, names, (inputs) =>
    withTensors(given, ["dy"], ({ dy }) => valuesAndGradients(inputs, dy!, build)),
  );
}
