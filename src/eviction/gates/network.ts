/**
 * The gates of Attention-Gate, https://arxiv.org/abs/2410.12876: in front of every layer's attention a small network
 * reads the hidden states, or the keys and values, and gives, per token and key-value head, the probability that the
 * token's key and value are kept. The paper publishes no shapes; these are ours:
 *
 *     attention   X [N, D] -> Q', K', V' (heads of their own) -> attention -> p = σ(W_o a + b)     no positions
 *     linear      p = σ(W X + b)
 *     mlp         p = σ(W_2 silu(W_1 X) + b)
 *
 * `b` starts at logit(initialKeep). Keys and values are standardised, and an `mlp` of them has a bias within.
 */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../tensor/shape.ts";
import { UserError } from "../../system/errors.ts";
import { parameterOf, type Decoder, type Parameter } from "../../model/decoder.ts";
import { isBias } from "../../model/families/index.ts";
import { normalValues, stream } from "../../system/random.ts";
import { causalAttention, linear, prefixAttention } from "../../tensor/ops/index.ts";
import {
  constantShapes,
  gateShapes,
  resolveGateNetwork,
  type GateNetworkOptions,
  type GateNetworkSettings,
} from "./options.ts";

/** How packed tokens fall into rows, and what of its row each may know. */
export interface GateLayout {
  /** Cumulative row lengths, `[rows + 1]`. */
  readonly starts: Int32Array;
  /** `[N]`: tokens from the row's first that gates of scope `global` see. */
  readonly until: Int32Array;
}

/** One gate in front of every layer of a decoder. */
export interface GateNetwork {
  readonly settings: GateNetworkSettings;
  /** Named `gates.LAYER.NAME`; biases do not decay. */
  readonly parameters: readonly Parameter[];
  /** What is saved with them and not trained: `mean` and `deviation` of each layer's inputs, where they are standardised. */
  readonly constants: readonly Pick<Parameter, "name" | "variable">[];
  /**
   * Probabilities `[N, keyValueHeads]` from a layer's inputs: normalised hidden states `[N, width]`, or keys and values
   * `[N, 2 keyValueHeads headSize]`, as `gateInput` gives them.
   */
  probabilities(layer: number, input: tf.Tensor2D, layout: GateLayout): tf.Tensor2D;
  /** The probabilities' logits without their bias: what says which of a head's tokens are worth more than others. */
  scores(layer: number, input: tf.Tensor2D, layout: GateLayout): tf.Tensor2D;
  /** Frees the parameters and constants. */
  dispose(): void;
}

/** Gives the values of one parameter, row-major. */
export type GateReader = (name: string, shape: readonly number[]) => Float32Array | Promise<Float32Array>;

/** What gates read of a layer's tokens, in the form that `GateNetwork` takes. */
export function gateInput(
  { input }: Pick<GateNetworkSettings, "input">,
  tokens: { readonly k: tf.Tensor2D; readonly v: tf.Tensor2D; readonly input: tf.Tensor2D },
): tf.Tensor2D {
  return input === "hidden" ? tokens.input : tf.concat([tokens.k, tokens.v], 1);
}

/**
 * Fresh gates for a model, which is only looked at. Matrices are drawn from N(0, initializerRange), each from a stream
 * of its own; those of keys and values from N(0, 1 / sqrt(inputs)), the last one a tenth of it.
 * @param learningRateScale factor on the learning rate of all of them; default 1
 * @throws UserError for an option out of range
 * @see https://arxiv.org/abs/2410.12876
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createGates } from "tokensift/eviction/gates";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const gates = await createGates(model, { kind: "linear", initialKeep: 0.9 });
 * gates.settings.kind; //=> "linear"
 * gates.parameters.length > 0; //=> true
 * gates.dispose();
 * releaseEngine();
 */
export function createGates(
  model: Pick<Decoder, "config">,
  options: GateNetworkOptions = {},
  learningRateScale = 1,
): Promise<GateNetwork> {
  const settings = resolveGateNetwork(options, model.config);
  return gatesFrom(model, options, (name, shape) => freshValues(name, shape, settings, model), learningRateScale);
}

function freshValues(
  name: string,
  shape: readonly number[],
  { input, initialKeep, seed }: GateNetworkSettings,
  { config }: Pick<Decoder, "config">,
): Float32Array {
  const size = sizeOf(shape);
  if (isBias(name)) return new Float32Array(size).fill(Math.log(initialKeep) - Math.log1p(-initialKeep));
  if (shape.length === 1) return new Float32Array(size).fill(name.endsWith(".deviation") ? 1 : 0);
  const isLast = /\.(weight|down|output)$/.test(name);
  const range = input === "hidden" ? config.initializerRange : (isLast ? 0.1 : 1) / Math.sqrt(shape[1]!);
  return normalValues(size, range, stream(seed, "gates", name));
}

/** Gates with given values. If reading fails, what was loaded is freed again. */
export async function gatesFrom(
  { config }: Pick<Decoder, "config">,
  options: GateNetworkOptions,
  read: GateReader,
  learningRateScale = 1,
): Promise<GateNetwork> {
  const settings = resolveGateNetwork(options, config);
  const layers: Record<string, tf.Variable>[] = [];
  const parameters: Parameter[] = [];
  const constants: { name: string; variable: tf.Variable }[] = [];
  const dispose = (): void => [parameters, constants].forEach((all) => all.splice(0).forEach(free));
  try {
    for (let layer = 0; layer < config.layers; layer++) {
      const weights: Record<string, tf.Variable> = {};
      layers.push(weights);
      const variableOf = async (short: string, shape: readonly number[], trained: boolean) => {
        const name = `gates.${layer}.${short}`;
        const values = await read(name, shape);
        const variable = tf.tidy(() => tf.variable(tf.tensor(values, [...shape], "float32"), trained));
        weights[short] = variable;
        return { name, variable };
      };
      for (const [short, shape] of gateShapes(settings, config)) {
        const { name, variable } = await variableOf(short, shape, true);
        parameters.push(parameterOf(name, variable, learningRateScale));
      }
      for (const [short, shape] of constantShapes(settings, config))
        constants.push(await variableOf(short, shape, false));
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const weightsOf = (layer: number): Weights => {
    const weights = layers[layer];
    if (weights !== undefined) return weights;
    throw new UserError("model-mismatch", `There are no gates for layer ${layer}.`, {
      fix: "Make the gates for this model.",
    });
  };
  return {
    settings,
    parameters,
    constants,
    probabilities(layer, input, layout) {
      const weights = weightsOf(layer);
      const bias = weights["bias"] as tf.Variable<tf.Rank.R1>;
      return tf.tidy(() => tf.sigmoid(tf.add(mapped(settings, weights, input, layout), bias)));
    },
    scores: (layer, input, layout) => tf.tidy(() => mapped(settings, weightsOf(layer), input, layout)),
    dispose,
  };
}

const free = ({ variable }: { variable: tf.Variable }): void => variable.dispose();

type Weights = Readonly<Record<string, tf.Variable>>;

/** What the network makes of its inputs, before the bias. */
function mapped(
  { kind, heads, scope }: GateNetworkSettings,
  weights: Weights,
  input: tf.Tensor2D,
  { starts, until }: GateLayout,
): tf.Tensor2D {
  const { mean, deviation, innerBias } = weights;
  const x: tf.Tensor2D = mean && deviation ? tf.div(tf.sub(input, mean), deviation) : input;
  const map = (input: tf.Tensor2D, name: string): tf.Tensor2D =>
    linear(input, weights[name] as tf.Variable<tf.Rank.R2>);
  if (kind === "linear") return map(x, "weight");
  if (kind === "mlp") {
    const up = map(x, "up");
    const inner: tf.Tensor2D = innerBias === undefined ? up : tf.add(up, innerBias);
    return map(tf.mul(inner, tf.sigmoid(inner)), "down");
  }
  const [q, k, v] = ["query", "key", "value"].map((name) => map(x, name)) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
  const attended =
    scope === "global"
      ? prefixAttention(q, k, v, { starts, heads, until })
      : causalAttention(q, k, v, { starts, heads, keyValueHeads: heads }).output;
  return map(attended, "output");
}
