import type { StoredWeight } from "../../stored-weight.ts";
import type { Machine } from "./machine.ts";
import { FEW_ROWS, STRIP, WORTH_SPLITTING } from "./product.ts";
import { COLUMNS, columnsOfTask, ROW_BLOCK } from "./row-blocks.ts";

/**
 * Rows of W in a panel, or more, if it has so many: ONNX Runtime adds up in longer stretches where 64 columns or fewer
 * are multiplied.
 */
const PANEL = 96;
/** Floats of a panel where x has one row: it is read once. */
const ROW_PANEL = 2 ** 16;
/** Rows of x to a product. */
const BLOCK = 4 * STRIP;
/** How a panel is multiplied: one row of x, the product as it is written, or its transpose W x^T. */
const form = { row: 0, plain: 1, turned: 2 } as const;

/** Some rows of a weight, multiplied as one. */
export interface Panel {
  from: number;
  rows: number;
  /** Whether the library computes the products with a block of x, and the one with the rest. */
  byLibrary: boolean;
  restByLibrary: boolean;
}

/** How `x W^T` is computed. */
export interface Plan {
  form: number;
  /** Rows of x that are multiplied at a time, and up to where; the rest is one product. */
  block: number;
  whole: number;
  panels: Panel[];
}

/** What `multiplyAll` does with the widened matrix, panel by panel. */
export function planOf(machine: Machine, weight: StoredWeight, M: number): Plan {
  const { shape, head } = weight;
  const [N, K] = shape;
  const isLibrarys = (rows: number, columns: number): boolean =>
    machine.call("isProductByLibrary", rows, columns, K) !== 0;
  const work = M * N * K;
  const turned = (block: number, height: number): Plan => {
    const whole = M - (M % block);
    const panels = cut(N, Math.min(PANEL, height), head, height).map(({ from, rows }) => {
      const strip = Math.min(height, N - (from - (from % height)));
      return { from, rows, byLibrary: isLibrarys(strip, block), restByLibrary: isLibrarys(strip, M % block) };
    });
    return { form: form.turned, block, whole, panels };
  };
  if (M === 1) {
    const panels = cut(N, Math.max(1, Math.floor(ROW_PANEL / K)), head);
    return {
      ...{ form: form.row, block: 1, whole: 1 },
      panels: panels.map((panel) => ({ ...panel, byLibrary: false, restByLibrary: false })),
    };
  }
  if (machine.inRowBlocks) return turned(ROW_BLOCK, columnsOfTask(N));
  if (M <= FEW_ROWS && work >= WORTH_SPLITTING / 2) return turned(M, columnsOfTask(N));
  if (M <= STRIP && N > 2 * STRIP && work >= WORTH_SPLITTING) return turned(M, COLUMNS);
  const strip = work < WORTH_SPLITTING ? M : Math.min(M, STRIP);
  const rest = M % strip;
  const [byLibrary, restByLibrary] = [isLibrarys(strip, N), isLibrarys(rest, N)];
  // products of one to three rows are computed in ways of their own
  const isAlike = rest === 0 || (rest > 3 && restByLibrary === byLibrary);
  const whole = isAlike ? M : M - rest;
  const panels = cut(N, PANEL, head).map((panel) => ({ ...panel, byLibrary, restByLibrary }));
  return { form: form.plain, block: Math.min(BLOCK, whole), whole, panels };
}

/**
 * `N` rows in panels of about `size`, of equal sizes as far as possible and none of few rows, each within a strip of
 * `height` rows, or of whole heads. They begin at multiples of 16, as libraries group the columns that they compute.
 */
function cut(N: number, size: number, head: number, height = N): { from: number; rows: number }[] {
  const unit = head === 0 ? 16 : head;
  const strip = head === 0 ? height : N;
  const panels: { from: number; rows: number }[] = [];
  for (let start = 0; start < N; start += strip) {
    const rows = Math.min(strip, N - start);
    const count = Math.max(1, Math.floor(rows / (Math.ceil(size / unit) * unit)));
    for (let i = 1, done = 0; i <= count; i++) {
      const next = i === count ? rows : Math.round((i * rows) / count / unit) * unit;
      panels.push({ from: start + done, rows: next - done });
      done = next;
    }
  }
  return panels;
}
