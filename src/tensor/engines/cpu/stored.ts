import type { StoredWeight } from "../../stored-weight.ts";
import { rowBytesOf, rowsOfStored } from "../../stored-weight.ts";
import { offsetOf } from "./arena.ts";
import { runBeside } from "./beside.ts";
import type { Machine } from "./machine.ts";
import { runTasks } from "./product-tasks.ts";
import { STRIP, strips, WORTH_SPLITTING } from "./product.ts";
import { planOf } from "./stored-plan.ts";

/*
 * Products with weights that stay in their file: `x W^T`, `dy W`, and rows of W. Stored rows are read and widened panel
 * by panel, and the products are those of product.ts and row-blocks.ts with the widened matrix: the same form with the
 * same sizes where sizes decide in which order ONNX Runtime and the engine's own product add up. So the bits are the same.
 */

/** GGUF's numbers of the types that the kernels widen. */
const types: Readonly<Record<string, number>> = {
  ...{ F16: 1, Q4_0: 2, Q4_1: 3, Q5_0: 6, Q5_1: 7, Q8_0: 8 },
  ...{ Q4_K: 12, Q5_K: 13, Q6_K: 14, BF16: 30 },
};

/** Stored bytes that a thread reads at a time, so that they are still in the cache when they are widened. */
const STAGING = 2 ** 18;
/** Floats that are widened at a time in the backward direction: 8 MiB. */
const WIDENED = 2 ** 21;
/** Backward, W is cut at multiples of so many rows, where the libraries cut it themselves; narrow ones are cut less. */
const DEPTH = 256;
const DEPTH_OF_NARROW = 1024;
const NARROW = 64;

const TASK = 13;

/** Says of a failure that a file was written to, where one was. */
function reading<T>(weights: readonly StoredWeight[], body: () => T): T {
  try {
    return body();
  } catch (error) {
    for (const { file } of weights) file.requireUnchanged();
    throw error;
  }
}

/**
 * `C = x W^T` for each weight, its C at the place `c`. All weights have the columns of x `[M, K]`.
 * @throws UserError where a file has become too short
 */
export function multiplyByStored(
  machine: Machine,
  x: { x: number; M: number },
  products: readonly { weight: StoredWeight; c: number }[],
): void {
  reading(
    products.map(({ weight }) => weight),
    () => multiplyForward(machine, x, products),
  );
}

function multiplyForward(
  machine: Machine,
  { x, M }: { x: number; M: number },
  products: readonly { weight: StoredWeight; c: number }[],
): void {
  const K = products[0]!.weight.shape[1];
  const bytes = ([rows]: readonly [number, number]): number => M * rows * 4;
  const operands = [
    { use: "read" as const, place: x, bytes: M * K * 4 },
    ...products.map(({ weight, c }) => ({ use: "written" as const, place: c, bytes: bytes(weight.shape) })),
  ];
  const tasks = products.flatMap(({ weight, c }) => {
    const plan = planOf(machine, weight, M);
    return plan.panels.map((panel) => ({ ...plan, ...panel, weight, c }));
  });
  runBeside(machine.arena, [{ operands }], (memory, [settled]) => {
    const most = tasks.reduce((rows, task) => Math.max(rows, task.rows), 0);
    const staging = Math.max(STAGING, ...products.map(({ weight }) => rowBytesOf(weight)));
    const panelAt = roundUp(staging);
    const tileAt = panelAt + roundUp(most * K * 4);
    const threadBytes =
      tileAt + roundUp(Math.max(...tasks.map((task) => Math.max(task.block, M - task.whole))) * most * 4);
    const tableBytes = roundUp(tasks.length * TASK * 8);
    machine.withScratchIn(memory, tableBytes + machine.threads * threadBytes, (scratch) => {
      const table = machine.arena.float64(scratch, tasks.length * TASK);
      tasks.forEach(({ weight, c, from, rows, ...how }, task) => {
        const rowBytes = rowBytesOf(weight);
        const at = offsetOf(settled!.placeOf(c)) + from * 4;
        const numbers = [
          ...[weight.file.descriptor, weight.offset + from * rowBytes, rowBytes, typeOf(weight), weight.head],
          ...[
            rows,
            at,
            weight.shape[0],
            how.form,
            how.block,
            how.whole,
            Number(how.byLibrary),
            Number(how.restByLibrary),
          ],
        ];
        table.set(numbers, task * TASK);
      });
      const places = [offsetOf(scratch), offsetOf(settled!.placeOf(x))];
      const scratchAt = offsetOf(scratch) + tableBytes;
      const isSmall = tasks.length === 1;
      machine.runIn(
        ...([memory, "storedProducts", tasks.length, isSmall ? 1 : Infinity] as const),
        ...[...places, M, K, scratchAt, threadBytes, panelAt, tileAt],
      );
    });
  });
}

/**
 * `dx = sum of dy W` over the weights, dx `[M, I]` and each dy `[M, rows of W]` by their places.
 * @throws UserError where a file has become too short
 */
export function multiplyBackByStored(
  machine: Machine,
  { dx, M }: { dx: number; M: number },
  products: readonly { weight: StoredWeight; dy: number }[],
): void {
  const I = products[0]!.weight.shape[1];
  const work = products.reduce((sum, { weight }) => sum + M * weight.shape[0] * I, 0);
  const height = work < WORTH_SPLITTING ? M : STRIP;
  let accumulate = false;
  for (const { weight, dy } of products) {
    const [O] = weight.shape;
    const depth = leastCommonMultiple(I > NARROW ? DEPTH : DEPTH_OF_NARROW, Math.max(1, weight.head));
    const atOnce = Math.max(1, Math.floor(WIDENED / I / depth)) * depth;
    const most = Math.min(O, atOnce);
    const lend = O > atOnce ? M * most * 4 : 0;
    machine.withScratch(most * I * 4, (b) =>
      machine.withScratch(lend, (columns) => {
        for (let from = 0; from < O; from += atOnce) {
          const K = Math.min(atOnce, O - from);
          reading([weight], () => widenRows(machine, rowsOfStored(weight, from, K), b));
          const a = lend === 0 ? dy : columns;
          if (lend > 0) machine.run("copyRows", M, 2 * K, dy + from * 4, O * 4, columns, K * 4, K * 4);
          const form = { transA: false, transB: false, M, N: I, K };
          runTasks(machine, strips([{ ...form, a, b, c: dx, accumulate }], height));
          accumulate = true;
        }
      }),
    );
  }
}

/** The rows of a weight, float32, at a place. */
function widenRows(machine: Machine, weight: StoredWeight, out: number): void {
  const [rows, columns] = weight.shape;
  const rowBytes = rowBytesOf(weight);
  const unit = weight.head === 0 ? 1 : weight.head;
  const group = Math.max(1, Math.floor(STAGING / rowBytes / unit)) * unit;
  const staging = roundUp(Math.max(STAGING, rowBytes));
  machine.withScratch(machine.threads * staging, (scratch) => {
    const stored = [weight.file.descriptor, weight.offset, rowBytes, typeOf(weight), weight.head];
    const places = [out, scratch, staging];
    machine.run("widenRows", Math.ceil(rows / group), group * columns, ...stored, rows, columns, group, ...places);
  });
}

/** `out[i] = row ids[i]` of a weight, ids at a place. Rows are in the order of the file. */
export function gatherStored(machine: Machine, weight: StoredWeight, ids: number, count: number, out: number): void {
  const columns = weight.shape[1];
  const rowBytes = rowBytesOf(weight);
  const staging = roundUp(rowBytes);
  machine.withScratch(machine.threads * staging, (scratch) => {
    const stored = [weight.file.descriptor, weight.offset, rowBytes, typeOf(weight)];
    machine.run("gatherStored", count, 8 * columns, ...stored, ids, out, columns, scratch, staging);
  });
}

function typeOf({ encoding }: StoredWeight): number {
  const type = types[encoding.name];
  if (type === undefined) throw new Error(`The cpu engine widens no ${encoding.name}`);
  return type;
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
