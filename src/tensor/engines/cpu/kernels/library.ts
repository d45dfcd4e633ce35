// What a library outside computes for the kernels, called by this module's imports.

// @ts-ignore: decorator
@external("env", "product")
export declare function productByLibrary(
  transA: i32,
  transB: i32,
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  b: usize,
  beta: f32,
  c: usize,
): void;

/** Softmax in place of rows of `columns` floats. */
// @ts-ignore: decorator
@external("env", "softmax")
export declare function softmaxByLibrary(rows: i32, columns: i32, x: usize): void;

/** Products of fewer multiplications are done here even where there is a library: calling it takes as long. */
const SMALL_PRODUCT: i64 = 65536;
/** So many exponentials take as long as a call of the library. */
const SMALL_SOFTMAX: i32 = 4096;

let hasProduct = false;
let hasSoftmax = false;

/** Says which of its calls the library has. */
export function useLibrary(product: i32, softmax: i32): void {
  hasProduct = product != 0;
  hasSoftmax = softmax != 0;
}

export function isProductByLibrary(M: i32, N: i32, K: i32): bool {
  return hasProduct && <i64>M * N * K >= SMALL_PRODUCT;
}

/** Whether the library computes a softmax of `n` numbers in all. */
export function isSoftmaxByLibrary(n: i32): bool {
  return hasSoftmax && n >= SMALL_SOFTMAX;
}
