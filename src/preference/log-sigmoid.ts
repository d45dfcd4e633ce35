/** `log σ(x) = -softplus(-x)`, exact and finite for every finite `x`. */
export function logSigmoid(x: number): number {
  return x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x));
}

/** `σ(x)`; 0 where it underflows. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
