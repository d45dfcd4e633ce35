/**
 * The standard error of a mean, `sqrt(sum (x - mean)^2 / (n (n - 1)))`: of shares of right answers, one per problem, it
 * holds both which problems were taken and which answers were drawn. NaN of fewer than two numbers.
 */
export function standardError(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  return n < 2 ? NaN : Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n * (n - 1)));
}
