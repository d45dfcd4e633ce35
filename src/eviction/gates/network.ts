/**
 * The gates of Attention-Gate, https://arxiv.org/abs/2410.12876: in front of every layer's attention a small network
 * reads the hidden states and gives, per token and key-value head, the probability that the token's key and value are
 * kept. The paper publishes no shapes; these are ours:
 *
 *     attention   X [N, D] -> Q', K', V' (heads of their own) -> attention -> p = σ(W_o a + b)     no positions
 *     linear      p = σ(W X + b)
 *     mlp         p = σ(W_2 silu(W_1 X) + b)
 *
 * `b` starts at logit(initialKeep).
 */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../tensor/shape.ts";
import { UserError } from "../../system/errors.ts";
import { parameterOf, type Decoder, type Parameter } from "../../model/decoder.ts";
import { isBias } from "../../model/families/index.ts";
import { normalValues, stream } from "../../system/random.ts";
import { causalAttention, linear, prefixAttention } from "../../tensor/ops/index.ts";
import { gateShapes, resolveGateNetwork, type GateNetworkOptions, type GateNetworkSettings } from "./options.ts";

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
  /** Probabilities `[N, keyValueHeads]` from a layer's normalised hidden states `[N, width]`. */
  probabilities(layer: number, input: tf.Tensor2D, layout: GateLayout): tf.Tensor2D;
  /** Frees the parameters. */
  dispose(): void;
}

/** Gives the values of one parameter, row-major. */
export type GateReader = (name: string, shape: readonly number[]) => Float32Array | Promise<Float32Array>;

/**
 * Fresh gates for a model, which is only looked at. Matrices are drawn from N(0, initializerRange), each from a stream
 * of its own.
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
  const { initialKeep, seed } = resolveGateNetwork(options, model.config);
  const bias = Math.log(initialKeep) - Math.log1p(-initialKeep);
  return gatesFrom(
    model,
    options,
    (name, shape) => {
      const size = sizeOf(shape);
      if (isBias(name)) return new Float32Array(size).fill(bias);
      return normalValues(size, model.config.initializerRange, stream(seed, "gates", name));
    },
    learningRateScale,
  );
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
  const dispose = (): void => parameters.splice(0).forEach(({ variable }) => variable.dispose());
  try {
    for (let layer = 0; layer < config.layers; layer++) {
      const weights: Record<string, tf.Variable> = {};
      layers.push(weights);
      for (const [short, shape] of gateShapes(settings, config)) {
        const name = `gates.${layer}.${short}`;
        const values = await read(name, shape);
        const variable = tf.tidy(() => tf.variable(tf.tensor(values, [...shape], "float32")));
        weights[short] = variable;
        parameters.push(parameterOf(name, variable, learningRateScale));
      }
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    settings,
    parameters,
    probabilities(layer, input, layout) {
      const weights = layers[layer];
      if (weights === undefined)
        throw new UserError("model-mismatch", `There are no gates for layer ${layer}.`, {
          fix: "Make the gates for this model.",
        });
      return tf.tidy(() => tf.sigmoid(logits(settings, weights, input, layout)));
    },
    dispose,
  };
}

function logits(
  { kind, heads, scope }: GateNetworkSettings,
  weights: Readonly<Record<string, tf.Variable>>,
  x: tf.Tensor2D,
  { starts, until }: GateLayout,
): tf.Tensor2D {
  const map = (input: tf.Tensor2D, name: string): tf.Tensor2D =>
    linear(input, weights[name] as tf.Variable<tf.Rank.R2>);
  const bias = weights["bias"] as tf.Variable<tf.Rank.R1>;
  const mapped = (): tf.Tensor2D => {
    if (kind === "linear") return map(x, "weight");
    if (kind === "mlp") {
      const inner = map(x, "up");
      return map(tf.mul(inner, tf.sigmoid(inner)), "down");
    }
    const [q, k, v] = ["query", "key", "value"].map((name) => map(x, name)) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const attended =
      scope === "global"
        ? prefixAttention(q, k, v, { starts, heads, until })
        : causalAttention(q, k, v, { starts, heads, keyValueHeads: heads }).output;
    return map(attended, "output");
  };
  return tf.add(mapped(), bias);
}
