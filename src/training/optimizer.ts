import * as tf from "@tensorflow/tfjs-core";
import type { GradientStore } from "../model/gradients.ts";
import type { Parameter } from "../model/decoder.ts";
import { adamwUpdate } from "../tensor/ops/index.ts";

/** Constants of AdamW. */
export interface AdamWOptions {
  /** Decay of the gradient's mean; default 0.9. */
  beta1?: number;
  /** Decay of the mean of its square; default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Decoupled; not applied to norms and biases. Default 0. */
  weightDecay?: number;
}

/** First and second moment of one parameter, shaped like it. */
export interface Moments {
  readonly m: tf.Variable;
  readonly v: tf.Variable;
}

/** What updates a model's parameters from their gradients. */
export interface Optimizer {
  /** Updates done so far, of all parameters together. */
  updates: number;
  /** Updates left out so far, as their gradient was not finite: the schedule does not count them. Default 0. */
  skipped?: number;
  /** What the schedule's learning rates are multiplied with. Default 1. */
  learningRateScale?: number;
  /** What it updates. */
  readonly parameters?: readonly Parameter[];
  /** One update with the summed gradients times `gradientScale`. Parameters without a gradient stay as they are. */
  update(gradients: GradientStore, settings: { learningRate: number; gradientScale: number }): void;
  /** By parameter name, in the parameters' order; made when first asked for, as zeros. */
  moments(): Map<string, Moments>;
  dispose(): void;
}

/**
 * AdamW with decoupled weight decay (arXiv 1711.05101), step for step PyTorch's.
 * Gradients are sums over the step; `gradientScale` of an update multiplies them.
 *
 * @see https://arxiv.org/abs/1711.05101
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { forward, gradientStore, loadModel } from "tokensift/model";
 * import { adamW } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const [optimizer, gradients] = [adamW(model.parameters, { weightDecay: 0.01 }), gradientStore()];
 * const losses: number[] = [];
 * for (let step = 0; step < 3; step++) {
 *   using pass = forward(model, batch, { gradients });
 *   const { logProb } = await pass.read(["logProb"]);
 *   losses.push(-(logProb[2]! + logProb[3]!) / 2);
 *   pass.backward({ logProb: Float32Array.of(0, 0, -0.5, -0.5) });
 *   optimizer.update(gradients, { learningRate: 1e-3, gradientScale: 1 });
 *   gradients.clear();
 * }
 * losses[2]! < losses[0]!; //=> true
 * optimizer.updates; //=> 3
 * releaseEngine();
 */
export function adamW(parameters: readonly Parameter[], options: AdamWOptions = {}): Optimizer {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  const held = new Map<string, Moments>();
  const momentsOf = ({ name, variable }: Parameter): Moments => {
    const known = held.get(name);
    if (known !== undefined) return known;
    const zeros = (): tf.Variable => tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
    const made = { m: zeros(), v: zeros() };
    held.set(name, made);
    return made;
  };
  return {
    updates: 0,
    skipped: 0,
    learningRateScale: 1,
    parameters,
    update(gradients, { learningRate, gradientScale }) {
      this.updates++;
      for (const parameter of parameters) {
        const gradient = gradients.get(parameter.variable);
        if (gradient === undefined || !parameter.trainable) continue;
        const { m, v } = momentsOf(parameter);
        const decay = parameter.decay ? weightDecay : 0;
        const rate = learningRate * (parameter.learningRateScale ?? 1);
        const settings = {
          learningRate: rate,
          beta1,
          beta2,
          epsilon,
          weightDecay: decay,
          step: this.updates,
          gradientScale,
        };
        adamwUpdate(parameter.variable, gradient, m, v, settings);
      }
    },
    moments() {
      for (const parameter of parameters) if (parameter.trainable) momentsOf(parameter);
      return held;
    },
    dispose() {
      for (const { m, v } of held.values()) tf.dispose([m, v]);
      held.clear();
    },
  };
}
