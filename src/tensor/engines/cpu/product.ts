import type { Machine } from "./machine.ts";

/** Rows of C in a strip: what one task computes. The strips depend on the shapes alone, never on the threads. */
const STRIP = 128;
/** Columns of a transposed B to a task at most, where A has few rows. */
const COLUMNS = 512;
/** Products of fewer multiplications are one call. */
const WORTH_SPLITTING = 2 ** 21;
/** With so few rows of A the time goes into reading B, and smaller products are worth splitting. */
const FEW_ROWS = 16;
/** A strip is work enough for a task of its own. */
const HEAVY = Infinity;

/** Matrices of a product, as byte offsets: see `Product`. */
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

/** `C = op(A) op(B)`, or `C += ...`, on all threads. The same bits for any number of them. */
export function multiply(machine: Machine, { transA, transB, M, N, K, a, b, c, accumulate = false }: Operands): void {
  const [B, beta] = [Number(transB), Number(accumulate)];
  if (M === 1 && transB && !transA) {
    machine.run("productRow", N, K, K, a, b, beta, c);
  } else if (M <= FEW_ROWS && transB && !transA && !accumulate && M * N * K >= WORTH_SPLITTING / 2) {
    turnedStrips(machine, M, N, K, a, b, c, Math.min(COLUMNS, Math.max(96, Math.ceil(N / 48) * 12)));
  } else if (M * N * K < WORTH_SPLITTING) {
    machine.call("product", Number(transA), B, M, N, K, a, b, beta, c);
  } else if (transA) {
    // Strips of a transposed A are not dense, and libraries are slower on them: turned once, it is neither.
    machine.withScratch(M * K * 4, (turned) => {
      transposeMatrix(machine, a, turned, K, M);
      strips(machine, [B, M, N, K, turned, b, beta, c], M);
    });
  } else if (M <= STRIP && N > 2 * STRIP && transB && !accumulate) {
    turnedStrips(machine, M, N, K, a, b, c, COLUMNS);
  } else {
    strips(machine, [B, M, N, K, a, b, beta, c], M);
  }
}

/** `C = A B^T` with few rows of A against a large B: C^T = B A^T has the many rows to share. */
function turnedStrips(
  machine: Machine,
  M: number,
  N: number,
  K: number,
  a: number,
  b: number,
  c: number,
  height: number,
): void {
  machine.withScratch(M * N * 4, (turned) => {
    strips(machine, [1, N, M, K, b, a, 0, turned], N, height);
    transposeMatrix(machine, turned, c, N, M);
  });
}

function strips(machine: Machine, product: number[], rows: number, height = STRIP): void {
  machine.run("productStrips", Math.ceil(rows / height), HEAVY, ...product, height);
}

/** `[rows, columns]` -> `[columns, rows]`. */
function transposeMatrix(machine: Machine, from: number, to: number, rows: number, columns: number): void {
  machine.run("transposeMatrix", Math.ceil(columns / 16), rows * 32, from, to, rows, columns);
}
