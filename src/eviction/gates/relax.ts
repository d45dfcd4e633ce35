import * as tf from "@tensorflow/tfjs-core";
import { differentiable } from "../../tensor/ops/fused.ts";
import { logisticNoise, type GateOptions } from "../gate-decision.ts";

/**
 * `decideGates` on the engine, for a pass whose gates decide in its midst: probabilities `[N, heads]` to what attention
 * is multiplied by, with the gradient of `GateDecision.backward`. Exempt tokens are the attention's affair.
 * @param noise logistic noise of `gumbel`, `[N, heads]`
 */
export function relaxGates(
  probability: tf.Tensor2D,
  { relaxation = "straight-through", threshold = 0.5, floor = 1e-3, temperature = 0.3 }: GateOptions,
  noise?: tf.Tensor2D,
): tf.Tensor2D {
  if (relaxation === "straight-through")
    return differentiable<tf.Tensor2D>({
      inputs: [probability],
      forward: () => tf.cast(tf.greater<tf.Tensor2D>(probability, threshold), "float32"),
      gradient: (dy) => [dy],
    });
  if (relaxation === "soft")
    return differentiable<tf.Tensor2D>({
      inputs: [probability],
      forward: (save) => {
        save([probability]);
        return tf.maximum(probability, floor) as tf.Tensor2D;
      },
      gradient: (dy, [p]) => [tf.where(tf.greaterEqual(p!, floor), dy, 0)],
    });
  const between = (p: tf.Tensor): tf.Tensor2D => tf.logicalAnd(tf.greater(p, 0), tf.less(p, 1));
  const noisy = (p: tf.Tensor, noise: tf.Tensor): tf.Tensor2D => {
    const inside = tf.where(between(p), p, 0.5);
    const logit = tf.sub(tf.log(inside), tf.log(tf.sub(1, inside)));
    return tf.sigmoid(tf.div<tf.Tensor2D>(tf.add(logit, noise), temperature));
  };
  return differentiable<tf.Tensor2D>({
    inputs: [probability],
    forward: (save) => {
      save([probability, noise!]);
      return tf.where(between(probability), noisy(probability, noise!), probability);
    },
    gradient: (dy, [p, noise]) => {
      const on = noisy(p!, noise!);
      const rise = tf.div(tf.mul(on, tf.sub(1, on)), tf.mul(temperature, tf.mul(p!, tf.sub(1, p!))));
      return [tf.where(between(p!), tf.mul(dy, rise), 0)];
    },
  });
}

/** Logistic noise of packed tokens, the same that `decideGates` draws. `[N, heads]` */
export function gateNoise(
  { rowIds, starts }: { rowIds: ArrayLike<number>; starts: Int32Array },
  heads: number,
  noise: NonNullable<GateOptions["noise"]>,
): tf.Tensor2D {
  const draw = logisticNoise(noise);
  const values = new Float32Array(starts.at(-1)! * heads);
  for (let row = 0; row + 1 < starts.length; row++)
    for (let place = 0; place < (starts[row + 1]! - starts[row]!) * heads; place++)
      values[starts[row]! * heads + place] = draw(rowIds[row]!, place);
  return tf.tensor2d(values, [starts.at(-1)!, heads]);
}
