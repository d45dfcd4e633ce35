/**
 * One product on the calling thread: `C = op(A) op(B) + beta C`, single precision, row-major, dense. op(A) is `[M, K]`
 * (A is stored `[K, M]` where `transA` is 1), op(B) `[K, N]` (stored `[N, K]` where `transB` is 1), C `[M, N]`; `beta`
 * is 0, and C then not read, or 1. Operands are addresses in the process. Equal calls give equal bits.
 */
export type Product = (
  transA: number,
  transB: number,
  M: number,
  N: number,
  K: number,
  a: number,
  b: number,
  beta: number,
  c: number,
) => void;

/**
 * Softmax in place of each of `rows` rows of `columns` numbers, single precision, dense, on the calling thread; `x` is
 * an address. A row has the same bits whatever rows there are beside it.
 */
export type Softmax = (rows: number, columns: number, x: number) => void;

/** What a library computes for the kernels. */
export interface LibraryCalls {
  readonly product: Product;
  /** Only of a library that is faster at it than the engine's own kernels. */
  readonly softmax?: Softmax;
}

/** How a worker thread gets at the library, which shares the process but none of the JavaScript. */
export interface WorkerBinding {
  /** Path by which the thread requires koffi. */
  koffi: string;
  /** Makes the calls from koffi and `handles`. Its text is sent to the thread, so it may use nothing else. */
  bind: (koffi: never, handles: never) => LibraryCalls;
  /** Addresses; whatever a message to a thread can carry. */
  handles: unknown;
}

/** A library that multiplies matrices in place. */
export interface MatmulProvider {
  /** For example "onnxruntime". */
  readonly name: string;
  /** Version and way of calling, for people to read. */
  readonly version: string;
  readonly calls: LibraryCalls;
  /** The address of the first byte. */
  addressOf(bytes: Uint8Array): number;
  readonly worker: WorkerBinding;
  dispose(): void;
}
