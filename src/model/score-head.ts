import * as tf from "@tensorflow/tfjs-core";
import { parameterOf, type Decoder, type Parameter } from "./decoder.ts";

/** A linear unit without bias that takes the place of the output projection: one score per token. */
export interface ScoreHead {
  /** `[1, width]` */
  readonly weight: tf.Variable<tf.Rank.R2>;
  /** `weight` under the name that transformers gives it. */
  readonly parameter: Parameter;
  dispose(): void;
}

/** Name of the head's weight in a file, as in transformers' sequence and token classifiers. */
export const scoreWeightName = "score.weight";

/**
 * A head for the decoder; without values all are 0, and so is every score.
 * @param values `[width]`
 */
export function createScoreHead({ config }: Pick<Decoder, "config">, values?: Float32Array): ScoreHead {
  const shape: [number, number] = [1, config.width];
  const weight = tf.tidy(() => tf.variable<tf.Rank.R2>(values ? tf.tensor2d(values, shape) : tf.zeros(shape)));
  return { weight, parameter: parameterOf(scoreWeightName, weight), dispose: () => weight.dispose() };
}
