/** How unequal weights are. */
export interface Concentration {
  /** Gini coefficient: 0 where all are equal, towards 1 where one has all. 0 without any. */
  readonly gini: number;
  /** Effective number (Kish): (sum w)^2 / sum w^2, as many equal weights are as concentrated. 0 without any. */
  readonly effective: number;
}

/**
 * How few tokens the weights lie on.
 *
 * @param weights at least 0
 */
export function concentration(weights: ArrayLike<number>): Concentration {
  const sorted = Float64Array.from(weights).sort();
  const n = sorted.length;
  let [sum, squares, ranked] = [0, 0, 0];
  sorted.forEach((weight, i) => {
    sum += weight;
    squares += weight * weight;
    ranked += (2 * (i + 1) - n - 1) * weight;
  });
  if (!(sum > 0)) return { gini: 0, effective: 0 };
  return { gini: ranked / (n * sum), effective: (sum * sum) / squares };
}
