import { offsetOf } from "./arena.ts";
import type { Operand } from "./beside.ts";
import { runBeside } from "./beside.ts";
import type { Machine } from "./machine.ts";

/** A strip of C: `C = A op(B)` with `M` rows, summed over `products`; `beta` says whether a product is added. */
export interface Task {
  M: number;
  N: number;
  c: number;
  products: { transB: boolean; K: number; a: number; b: number; beta: number }[];
}

/** Fewer multiplications than these are done without waking other threads. */
const WORTH_SHARING = 2 ** 20;

/** Runs tasks on all threads, none of which reads or writes what another writes. */
export function runTasks(machine: Machine, tasks: readonly Task[]): void {
  // Tasks are claimed from the last to the first: the heavy ones first, so that no thread ends much later.
  const sorted = [...tasks].sort((one, other) => workOf(one) - workOf(other));
  if (machine.arena.memories.length === 1) return runTasksIn(machine, 0, sorted);
  const isFree = ({ M, N, products }: Task): boolean =>
    products.every(({ K }) => machine.call("isProductByLibrary", M, N, K) !== 0);
  runTasksIn(machine, 0, sorted.filter(isFree));
  const bound = sorted.filter((task) => !isFree(task)).map((task) => ({ task, operands: operandsOf(task) }));
  runBeside(machine.arena, bound, (memory, here) => {
    const moved = here.map(({ item: { task }, placeOf }) => {
      const products = task.products.map((product) => ({ ...product, a: placeOf(product.a), b: placeOf(product.b) }));
      return { ...task, c: placeOf(task.c), products };
    });
    runTasksIn(machine, memory, moved);
  });
}

function operandsOf({ M, N, c, products }: Task): Operand[] {
  const read = products.flatMap(({ K, a, b }): Operand[] => [
    { use: "read", place: a, bytes: M * K * 4 },
    { use: "read", place: b, bytes: N * K * 4 },
  ]);
  return [{ use: "written", place: c, bytes: M * N * 4 }, ...read];
}

function workOf({ M, N, products }: Task): number {
  return products.reduce((sum, { K }) => sum + M * N * K, 0);
}

/** Runs tasks in one memory; operands of the library's products may lie elsewhere. */
function runTasksIn(machine: Machine, memory: number, tasks: readonly Task[]): void {
  if (tasks.length === 0) return;
  const stride = 4 + 5 * Math.max(...tasks.map(({ products }) => products.length));
  machine.withScratchIn(memory, tasks.length * stride * 8, (table) => {
    const numbers = machine.arena.float64(table, tasks.length * stride);
    tasks.forEach(({ M, N, c, products }, task) => {
      numbers.set([products.length, M, N, machine.addressOf(c)], task * stride);
      products.forEach(({ transB, K, a, b, beta }, i) => {
        const numbersOfProduct = [Number(transB), K, machine.addressOf(a), machine.addressOf(b), beta];
        numbers.set(numbersOfProduct, task * stride + 4 + 5 * i);
      });
    });
    const isSmall = tasks.reduce((sum, task) => sum + workOf(task), 0) < WORTH_SHARING;
    machine.runIn(memory, "productTasks", tasks.length, isSmall ? 0 : Infinity, offsetOf(table), stride);
  });
}
