// Weights that stay in their file as it holds them: rows are read and widened panel by panel, beside the product.
import { productByLibrary } from "./library";
import { multiply } from "./packed-product";
import { productRow, turnBack } from "./product";
import { rank } from "./thread";
import { widen } from "./widen";

/** Reads bytes of an open file into this memory. */
// @ts-ignore: decorator
@external("env", "readFile")
declare function readFile(file: i32, position: f64, bytes: i32, to: usize): void;

/**
 * Rows of a weight, from the one at `position`, to `out` as float32 rows of `columns`. Where `head` is not 0, rows are
 * a whole number of heads of so many rows, which the file holds as neighbours that rotate together: row `2 i + j` of a
 * head goes to row `j head / 2 + i`.
 */
function widenRowsAt(
  file: i32,
  position: f64,
  rowBytes: i32,
  type: i32,
  head: i32,
  rows: i32,
  columns: i32,
  staging: usize,
  stagingBytes: i32,
  out: usize,
): void {
  const atOnce = max(1, stagingBytes / rowBytes);
  for (let row = 0; row < rows; row += atOnce) {
    const count = min(atOnce, rows - row);
    readFile(file, position + <f64>row * <f64>rowBytes, count * rowBytes, staging);
    if (head == 0) {
      widen(type, staging, out + <usize>row * columns * 4, count * columns);
      continue;
    }
    for (let i = 0; i < count; i++) {
      const inHead = (row + i) % head;
      const target = row + i - inHead + (inHead & 1) * (head >> 1) + (inHead >> 1);
      widen(type, staging + <usize>i * rowBytes, out + <usize>target * columns * 4, columns);
    }
  }
}

/** Rows of a weight to `out`, float32. A range counts groups of `group` rows; `staging` holds `stagingBytes` per thread. */
export function widenRows(
  file: i32,
  position: f64,
  rowBytes: i32,
  type: i32,
  head: i32,
  rows: i32,
  columns: i32,
  group: i32,
  out: usize,
  staging: usize,
  stagingBytes: i32,
  from: i32,
  to: i32,
): void {
  const own = staging + <usize>rank * stagingBytes;
  const first = from * group;
  const count = min(rows, to * group) - first;
  const at = position + <f64>first * <f64>rowBytes;
  widenRowsAt(file, at, rowBytes, type, head, count, columns, own, stagingBytes, out + <usize>first * columns * 4);
}

/** `out[i] = row ids[i]` of a weight, float32 rows of `columns`. */
export function gatherStored(
  file: i32,
  position: f64,
  rowBytes: i32,
  type: i32,
  ids: usize,
  out: usize,
  columns: i32,
  staging: usize,
  stagingBytes: i32,
  from: i32,
  to: i32,
): void {
  const own = staging + <usize>rank * stagingBytes;
  for (let i = from; i < to; i++) {
    readFile(file, position + <f64>load<i32>(ids + <usize>i * 4) * <f64>rowBytes, rowBytes, own);
    widen(type, own, out + <usize>i * columns * 4, columns);
  }
}

const ROW: i32 = 0;
const PLAIN: i32 = 1;
/** Bytes of a task in the table. */
const TASK: usize = 13 * 8;

/**
 * Products x W^T with x [M, K], a task for each panel of rows of a weight. A task takes thirteen doubles: file,
 * position, bytes of a row, type and head of the weight (see above), rows of the panel, C at its first column, columns of
 * C, form, block, whole, and whether the library computes the products with `block` rows of x and that with the rest. x
 * is taken in blocks of `block` rows as far as `whole`, and the rest at once. The form is one row of x (0), the product
 * as it is written (1), or its transpose W x^T (2). Each thread has `threadBytes` of scratch: stored rows, at `panelAt`
 * the panel, at `tileAt` its part of C.
 */
export function storedProducts(
  table: usize,
  x: usize,
  M: i32,
  K: i32,
  scratch: usize,
  threadBytes: i32,
  panelAt: i32,
  tileAt: i32,
  from: i32,
  to: i32,
): void {
  const staging = scratch + <usize>rank * threadBytes;
  const panel = staging + panelAt;
  const tile = staging + tileAt;
  for (let task = from; task < to; task++) {
    const p = table + <usize>task * TASK;
    const file = <i32>load<f64>(p);
    const rowBytes = <i32>load<f64>(p, 16);
    const type = <i32>load<f64>(p, 24);
    const head = <i32>load<f64>(p, 32);
    const rows = <i32>load<f64>(p, 40);
    const c = <usize>load<f64>(p, 48);
    const N = <i32>load<f64>(p, 56);
    const form = <i32>load<f64>(p, 64);
    const block = <i32>load<f64>(p, 72);
    const whole = <i32>load<f64>(p, 80);
    widenRowsAt(file, load<f64>(p, 8), rowBytes, type, head, rows, K, staging, panelAt, panel);
    if (form == ROW) {
      productRow(K, x, panel, c, 0, rows);
      continue;
    }
    for (let m = 0; m < M; ) {
      const isRest = m >= whole;
      const height = isRest ? M - m : min(block, whole - m);
      const byLibrary = load<f64>(p + (isRest ? 96 : 88)) != 0;
      const a = x + <usize>m * K * 4;
      const target = c + <usize>m * N * 4;
      if (form == PLAIN) {
        const isDense = rows == N;
        productBy(byLibrary, height, rows, K, a, panel, isDense ? target : tile);
        if (!isDense) copyTile(tile, rows, height, target, N);
      } else {
        productBy(byLibrary, rows, height, K, panel, a, tile);
        turnBack(tile, rows, height, target, N);
      }
      m += height;
    }
  }
}

function productBy(byLibrary: bool, M: i32, N: i32, K: i32, a: usize, b: usize, c: usize): void {
  if (byLibrary) productByLibrary(0, 1, M, N, K, a, b, 0, c);
  else multiply(0, 1, M, N, K, a, b, 0, c);
}

/** A dense block [height, width] into rows of N floats. */
function copyTile(tile: usize, width: i32, height: i32, c: usize, N: i32): void {
  const bytes = <usize>width * 4;
  for (let r = 0; r < height; r++) memory.copy(c + <usize>r * N * 4, tile + <usize>r * bytes, bytes);
}
