/** Matrices of a product, by their places: see `Product` in matmul/provider.ts. */
export interface Operands {
  transA: boolean;
  transB: boolean;
  M: number;
  N: number;
  K: number;
  a: number;
  b: number;
  c: number;
  /** Add to what C holds. */
  accumulate?: boolean;
}
