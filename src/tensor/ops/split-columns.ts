import * as tf from "@tensorflow/tfjs-core";
import { differentiableAll } from "./fused.ts";

/**
 * Splits `x [N, D]` into pieces `[N, width]` for each of `widths`, whose sum is `D`: the parts of a product with one
 * weight that stands for several.
 * @throws RangeError for widths that do not add up to `D`, or one below 1
 */
export function splitColumns(x: tf.Tensor2D, widths: readonly number[]): tf.Tensor2D[] {
  const total = widths.reduce((sum, width) => sum + width, 0);
  if (total !== x.shape[1] || !widths.every((width) => width >= 1))
    throw new RangeError(`x has ${x.shape[1]} columns, which do not split into ${widths.join(", ")}`);
  return differentiableAll<tf.Tensor2D>({
    inputs: [x],
    forward: () => tf.split(x, [...widths], 1),
    gradient: (dys) => [tf.concat(dys, 1)],
  });
}
