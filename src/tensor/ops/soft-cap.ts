import * as tf from "@tensorflow/tfjs-core";
import { requireSoftCap } from "./checks.ts";
import { differentiable, runFused } from "./fused.ts";

/**
 * `cap * tanh(x / cap)` of every element: small numbers stay, large ones approach `cap` and `-cap`. Without a cap `x`
 * itself. Source: Gemma 2 (arXiv 2408.00118), 2.3.
 * @throws RangeError for a cap that is not above 0
 */
export function softCap<T extends tf.Tensor>(x: T, cap: number | undefined): T {
  requireSoftCap(cap);
  if (cap === undefined) return x;
  return differentiable<T>({
    inputs: [x],
    forward: (save) => {
      const capped = (runFused("TokensiftSoftCap", { x }, { cap })?.[0] ?? tf.mul(tf.tanh(tf.div(x, cap)), cap)) as T;
      save([capped]);
      return capped;
    },
    gradient: (dy, [capped]) => [tf.mul(dy, softCapSlope(capped!, cap))],
  });
}

/** Slope of `softCap` where its result is `capped`: `1 - (capped / cap)^2`. */
export function softCapSlope<T extends tf.Tensor>(capped: T, cap: number): T {
  return tf.sub<T>(1, tf.square(tf.div(capped, cap)));
}
