/**
 * How hard the weights of one response push a model, `Σ w (1 - p)`: the gradient of `log p` on the logit of its own token
 * is `1 - p`, so that weight on a token of which the model is certain does nothing. Weights of equal mass may push very
 * differently.
 *
 * @param weights of the response's tokens
 * @param logProb of the same tokens under the model, nats; not looked at where the weight is 0
 */
export function pushOf(weights: ArrayLike<number>, logProb: ArrayLike<number>): number {
  let push = 0;
  for (let t = 0; t < weights.length; t++) if (weights[t] !== 0) push -= weights[t]! * Math.expm1(logProb[t]!);
  return push;
}

/**
 * What another placement of a response's weights is multiplied with, to push as hard as they do (ours). 1 where it pushes
 * nothing at all, which no factor helps.
 *
 * @param weights of the response's tokens, and `placed` the same elsewhere
 * @param logProb of the same tokens under the model, nats
 */
export function pushFactor(weights: ArrayLike<number>, placed: ArrayLike<number>, logProb: ArrayLike<number>): number {
  const push = pushOf(placed, logProb);
  return push > 0 ? pushOf(weights, logProb) / push : 1;
}
