/**
 * A library that multiplies matrices in the engine's memory. Matrices are single precision, row-major and dense;
 * operands are byte offsets into the arena.
 */
export interface MatmulProvider {
  /** For example "onnxruntime". */
  readonly name: string;
  /** Version and way of calling, for people to read. */
  readonly version: string;
  /**
   * `C = alpha * op(A) op(B) + beta * C`: op(A) is `[M, K]` (A is stored `[K, M]` where `transA`), op(B) `[K, N]`
   * (stored `[N, K]` where `transB`), C `[M, N]`. C is not read where `beta` is 0. Equal calls give equal bits.
   */
  sgemm(
    transA: boolean,
    transB: boolean,
    M: number,
    N: number,
    K: number,
    alpha: number,
    a: number,
    b: number,
    beta: number,
    c: number,
  ): void;
  dispose(): void;
}
