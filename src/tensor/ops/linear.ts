import * as tf from "@tensorflow/tfjs-core";
import { requireShape } from "./checks.ts";
import { differentiableAll, runFused } from "./fused.ts";
import type { NumberedTensors } from "./kernels.ts";
import { isStored, type StoredWeight, type Weight, widened } from "../stored-weight.ts";

/**
 * `y = x weight^T + bias`: `x [N, I]`, `weight [O, I]`, `bias [O]` -> `[N, O]`.
 * A weight that is a variable with `trainable` false, or that stays in its file, gets no gradient, and none is computed.
 */
export function linear(x: tf.Tensor2D, weight: Weight, bias?: tf.Tensor1D): tf.Tensor2D {
  if (bias !== undefined) requireShape("bias", bias, [weight.shape[0]]);
  const [product] = linears(x, [weight]) as [tf.Tensor2D];
  return bias === undefined ? product : tf.add(product, bias);
}

/**
 * `x weight^T` for each of several weights `[O, I]`, as one operation: an engine has more to share among its threads,
 * and the gradient of `x [N, I]` is summed on the way.
 */
export function linears(x: tf.Tensor2D, weights: readonly Weight[]): tf.Tensor2D[] {
  for (const weight of weights) requireShape("x", x, [x.shape[0], weight.shape[1]]);
  const stored = weights.filter(isStored);
  if (stored.length === 0) return linearsInMemory(x, weights as tf.Tensor2D[]);
  const ofStored = storedLinears(x, stored)[Symbol.iterator]();
  const held = weights.filter((weight): weight is tf.Tensor2D => !isStored(weight));
  const others = (held.length === 0 ? [] : linearsInMemory(x, held))[Symbol.iterator]();
  return weights.map((weight) => (isStored(weight) ? ofStored : others).next().value!);
}

function linearsInMemory(x: tf.Tensor2D, weights: readonly tf.Tensor2D[]): tf.Tensor2D[] {
  const trained = weights.map((weight) => !(weight instanceof tf.Variable && !weight.trainable));
  return differentiableAll<tf.Tensor2D>({
    inputs: [x, ...weights.filter((_, i) => trained[i])],
    forward: (save) => {
      save(trained.includes(true) ? [...weights, x] : [...weights]);
      const fused = runFused("TokensiftLinear", { x, ...numbered("weight", weights) }, {});
      return fused ?? weights.map((weight) => tf.matMul(x, weight, false, true));
    },
    gradient: (dys, saved) => gradient(dys, saved as tf.Tensor2D[], trained),
  });
}

function storedLinears(x: tf.Tensor2D, weights: readonly StoredWeight[]): tf.Tensor2D[] {
  return differentiableAll<tf.Tensor2D>({
    inputs: [x],
    forward: () =>
      runFused("TokensiftStoredLinear", { x }, { weights }) ??
      weights.map((weight) => tf.tidy(() => tf.matMul(x, widened(weight), false, true))),
    gradient: (dys) => [storedLinearsGradient(dys, weights)],
  });
}

/** `sum of dy weight`. */
export function storedLinearsGradient(dys: readonly tf.Tensor2D[], weights: readonly StoredWeight[]): tf.Tensor2D {
  const fused = runFused("TokensiftStoredLinearGrad", numbered("dy", dys), { weights });
  if (fused !== undefined) return fused[0];
  return tf.tidy(() => tf.addN(dys.map((dy, i) => tf.matMul(dy, widened(weights[i]!)))));
}

/** The gradient of x, then those of the trained weights. */
function gradient(dys: tf.Tensor2D[], saved: tf.Tensor2D[], trained: readonly boolean[]): tf.Tensor[] {
  const [weights, x] = [saved.slice(0, trained.length), saved[trained.length]];
  const inputs = { ...numbered("weight", weights), ...numbered("dy", dys), ...(x === undefined ? {} : { x }) };
  const fused = runFused("TokensiftLinearGrad", inputs, { trained: [...trained] });
  if (fused !== undefined) return fused;
  const dx = dys.map((dy, i) => tf.matMul(dy, weights[i]!));
  const live = dys.filter((_, i) => trained[i]);
  return [dx.length === 1 ? dx[0]! : tf.addN(dx), ...live.map((dy) => tf.matMul(dy, x!, true, false))];
}

function numbered<Name extends string>(name: Name, tensors: readonly tf.Tensor2D[]): NumberedTensors<Name> {
  const found: Record<string, tf.Tensor2D> = {};
  for (let i = 0; i < tensors.length; i++) found[`${name}${i}`] = tensors[i]!;
  return found as NumberedTensors<Name>;
}
