import * as tf from "@tensorflow/tfjs-core";
import { offsetOf } from "./arena.ts";
import { BACKEND, type CpuBackend } from "./backend.ts";
import type { Operand } from "./beside.ts";
import { runBeside } from "./beside.ts";
import type { Machine } from "./machine.ts";
import type { Operands } from "./operands.ts";

/** Rows of a block in the scope of `inRowBlocks`. */
export const ROW_BLOCK = 16;
/** Columns of C to a task at most, where A has few rows. */
export const COLUMNS = 512;
/** Multiplications that take as long as a simpler kernel takes to touch a float. */
const PER_FLOAT = 16;

/**
 * Runs `body` with products `x weight^T` computed in blocks of 16 rows of x. Libraries add up in another order for other
 * numbers of rows; so a row of a whole block has the same bits whatever rows there are beside it, and however many. On
 * other engines than this one it is `body()`, and nothing is promised.
 */
export function inRowBlocks<T>(body: () => T): T {
  if (tf.getBackend() !== BACKEND) return body();
  const { machine } = tf.backend() as CpuBackend;
  const before = machine.inRowBlocks;
  machine.inRowBlocks = true;
  try {
    return body();
  } finally {
    machine.inRowBlocks = before;
  }
}

/** So many columns to a task where few rows make little work of each: a quarter of them, for four threads. */
export function columnsOfTask(columns: number): number {
  return Math.min(COLUMNS, Math.max(96, Math.ceil(columns / 48) * 12));
}

/** Whether a product falls into blocks. */
export function hasRowBlocks({ transA, transB, M, accumulate = false }: Operands): boolean {
  return transB && !transA && !accumulate && M > 1;
}

/**
 * Such products as one job of all threads. Every block is one call of the library, of the same sizes whatever M is; the
 * last is smaller where M is not a multiple of 16.
 */
export function multiplyInRowBlocks(machine: Machine, products: readonly Operands[]): void {
  if (machine.arena.memories.length === 1) return multiplyIn(machine, 0, products);
  const items = products.map((product) => ({ product, operands: operandsOf(product) }));
  runBeside(machine.arena, items, (memory, here) => {
    const moved = here.map(({ item: { product }, placeOf }) => {
      return { ...product, a: placeOf(product.a), b: placeOf(product.b), c: placeOf(product.c) };
    });
    multiplyIn(machine, memory, moved);
  });
}

function operandsOf({ M, N, K, a, b, c }: Operands): Operand[] {
  return [
    { use: "read", place: a, bytes: M * K * 4 },
    { use: "read", place: b, bytes: N * K * 4 },
    { use: "written", place: c, bytes: M * N * 4 },
  ];
}

/** Products of matrices that lie in one memory. */
function multiplyIn(machine: Machine, memory: number, products: readonly Operands[]): void {
  const tableBytes = Math.ceil(products.length / 8) * 512;
  const floats = products.reduce((most, { N }) => Math.max(most, ROW_BLOCK * columnsOfTask(N)), 0);
  machine.withScratchIn(memory, tableBytes + machine.threads * floats * 4, (place) => {
    const table = machine.arena.float64(place, 8 * products.length);
    let [blocks, work] = [0, 0];
    products.forEach(({ M, N, K, a, b, c }, i) => {
      const columns = columnsOfTask(N);
      table.set([M, N, K, offsetOf(a), offsetOf(b), offsetOf(c), columns, blocks], 8 * i);
      blocks += Math.ceil(M / ROW_BLOCK) * Math.ceil(N / columns);
      work = Math.max(work, ROW_BLOCK * columns * K);
    });
    const [tableAt, scratch] = [offsetOf(place), offsetOf(place) + tableBytes];
    machine.runIn(
      memory,
      "productBlocks",
      blocks,
      work / PER_FLOAT,
      tableAt,
      products.length,
      ROW_BLOCK,
      scratch,
      floats,
    );
  });
}
