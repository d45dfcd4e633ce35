// What a library outside computes for the kernels, called by this module's imports.

/** A product of matrices at addresses in the process, which may lie outside of this memory. */
// @ts-ignore: decorator
@external("env", "product")
export declare function productAt(
  transA: i32,
  transB: i32,
  M: i32,
  N: i32,
  K: i32,
  a: f64,
  b: f64,
  beta: f32,
  c: f64,
): void;

// @ts-ignore: decorator
@external("env", "softmax")
declare function softmaxAt(rows: i32, columns: i32, x: f64): void;

/** Products of fewer multiplications are done here even where there is a library: calling it takes as long. */
const SMALL_PRODUCT: i64 = 65536;
/** So many exponentials take as long as a call of the library. */
const SMALL_SOFTMAX: i32 = 4096;

/** Where this memory begins in the process; any number, but its own, where there is no library. */
let address: f64 = 0;
export function setAddress(value: f64): void {
  address = value;
}

/** The byte offset in this memory of what lies at an address. */
export function offsetOf(place: f64): usize {
  return <usize>(place - address);
}

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

export function productByLibrary(
  transA: i32,
  transB: i32,
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  b: usize,
  beta: f32,
  c: usize,
): void {
  productAt(transA, transB, M, N, K, address + <f64>a, address + <f64>b, beta, address + <f64>c);
}

/** Whether the library computes a softmax of `n` numbers in all. */
export function isSoftmaxByLibrary(n: i32): bool {
  return hasSoftmax && n >= SMALL_SOFTMAX;
}

/** Softmax in place of rows of `columns` floats. */
export function softmaxByLibrary(rows: i32, columns: i32, x: usize): void {
  softmaxAt(rows, columns, address + <f64>x);
}
