import type { Machine } from "./machine.ts";
import type { Operands } from "./operands.ts";
import type { Task } from "./product-tasks.ts";
import { runTasks } from "./product-tasks.ts";
import { COLUMNS, columnsOfTask, hasRowBlocks, multiplyInRowBlocks } from "./row-blocks.ts";

/** Rows of C in a strip: what one task computes. The strips depend on the shapes alone, never on the threads. */
export const STRIP = 128;
/** Products of fewer multiplications are not split. */
export const WORTH_SPLITTING = 2 ** 21;
/** With so few rows of A the time goes into reading B, and smaller products are worth splitting. */
export const FEW_ROWS = 16;

/** `C = op(A) op(B)`, or `C += ...`, on all threads. The same bits for any number of them. */
export function multiply(machine: Machine, product: Operands): void {
  multiplyAll(machine, [[product]]);
}

/**
 * Several products as one job of all threads, which so are busy to the end. Products in one list are added up in the C
 * of its first, whose shape all have; of different lists none reads or writes what another writes.
 */
export function multiplyAll(machine: Machine, sums: readonly (readonly Operands[])[]): void {
  if (machine.inRowBlocks && sums.every((products) => products.length === 1 && hasRowBlocks(products[0]!)))
    return multiplyInRowBlocks(machine, sums.flat());
  const scratch: number[] = [];
  const lend: Lend = (bytes, near) => {
    scratch.push(machine.arena.allocate(bytes, near));
    return scratch.at(-1)!;
  };
  try {
    const plans = sums.map((products) => planOf(machine, products, lend));
    runTasks(
      machine,
      plans.flatMap(({ tasks }) => tasks),
    );
    for (const { finish } of plans) finish?.();
  } finally {
    scratch.forEach((place) => machine.arena.free(place));
  }
}

/** Room for the time of the products, beside a place where it can be. */
type Lend = (bytes: number, near: number) => number;

interface Plan {
  tasks: Task[];
  finish?: () => void;
}

function planOf(machine: Machine, products: readonly Operands[], lend: Lend): Plan {
  const { M, N, transB, transA, accumulate = false } = products[0]!;
  const isPlain = products.length === 1 && transB && !transA && !accumulate;
  const work = products.reduce((sum, { K }) => sum + M * N * K, 0);
  if (isPlain && M === 1) {
    const { a, b, c, K } = products[0]!;
    machine.run("productRow", N, K, K, a, b, c);
    return { tasks: [] };
  }
  if (isPlain && M <= FEW_ROWS && work >= WORTH_SPLITTING / 2)
    return turnedPlan(machine, products[0]!, lend, columnsOfTask(N));
  if (isPlain && M <= STRIP && N > 2 * STRIP && work >= WORTH_SPLITTING)
    return turnedPlan(machine, products[0]!, lend, COLUMNS);
  // Strips of a transposed A are not dense, and libraries are slower on them: turned once, it is neither.
  const upright = products.map((product) => {
    if (!product.transA) return product;
    const a = lend(M * product.K * 4, product.a);
    transposeMatrix(machine, product.a, a, product.K, M);
    return { ...product, transA: false, a };
  });
  return { tasks: strips(upright, work < WORTH_SPLITTING ? M : STRIP) };
}

/** `C = A B^T` with few rows of A against a large B: C^T = B A^T has the many rows to share. */
function turnedPlan(machine: Machine, { M, N, K, a, b, c }: Operands, lend: Lend, height: number): Plan {
  const turned = lend(M * N * 4, c);
  const product = { transA: false, transB: true, M: N, N: M, K, a: b, b: a, c: turned };
  return { tasks: strips([product], height), finish: () => transposeMatrix(machine, turned, c, N, M) };
}

/** A sum of products as tasks of `height` rows of C. */
export function strips(products: readonly Operands[], height: number): Task[] {
  const { M, N, c } = products[0]!;
  return Array.from({ length: Math.ceil(M / height) }, (_, strip) => {
    const row = strip * height;
    return {
      M: Math.min(height, M - row),
      N,
      c: c + row * N * 4,
      products: products.map(({ transB, K, a, b, accumulate = false }, i) => {
        return { transB, K, a: a + row * K * 4, b, beta: Number(accumulate || i > 0) };
      }),
    };
  });
}

/** `[rows, columns]` -> `[columns, rows]`. */
function transposeMatrix(machine: Machine, from: number, to: number, rows: number, columns: number): void {
  machine.run("transposeMatrix", Math.ceil(columns / 16), rows * 32, from, to, rows, columns);
}
