// Moving rows about.
import { get, loadPart, put, storePart, transposeFour } from "./simd";

/** Copies `bytes` of each row from one pitch to another (both in bytes). */
export function copyRows(x: usize, xPitch: usize, out: usize, outPitch: usize, bytes: usize, from: i32, to: i32): void {
  for (let r = from; r < to; r++) memory.copy(out + <usize>r * outPitch, x + <usize>r * xPitch, bytes);
}

/** `out[i] = table[ids[i]]`, rows of D. */
export function gatherRows(table: usize, ids: usize, out: usize, D: i32, from: i32, to: i32): void {
  const bytes = <usize>D * 4;
  for (let i = from; i < to; i++) {
    memory.copy(out + <usize>i * bytes, table + <usize>load<i32>(ids + <usize>i * 4) * bytes, bytes);
  }
}

/** `out[ids[i]] = x[i]`, rows of D, ids all different. */
export function scatterRows(x: usize, ids: usize, out: usize, D: i32, from: i32, to: i32): void {
  const bytes = <usize>D * 4;
  for (let i = from; i < to; i++) {
    memory.copy(out + <usize>load<i32>(ids + <usize>i * 4) * bytes, x + <usize>i * bytes, bytes);
  }
}

/** `out[ids[i]] += x[i]` for the columns of the range, in the order of i. */
export function addRows(x: usize, ids: usize, out: usize, n: i32, D: i32, from: i32, to: i32): void {
  const first = <usize>from * 4;
  const whole = first + <usize>((to - from) & ~3) * 4;
  const rest = <usize>((to - from) & 3);
  for (let i = 0; i < n; i++) {
    const p = x + <usize>i * D * 4;
    const q = out + <usize>load<i32>(ids + <usize>i * 4) * D * 4;
    for (let j = first; j < whole; j += 16) put(q + j, f32x4.add(get(q + j), get(p + j)));
    if (rest) storePart(q + whole, f32x4.add(loadPart(q + whole, rest), loadPart(p + whole, rest)), rest);
  }
}

/** x [rows, columns] -> out [columns, rows]. A range counts groups of 16 columns. */
export function transposeMatrix(x: usize, out: usize, rows: i32, columns: i32, from: i32, to: i32): void {
  const pitch = <usize>columns * 4;
  const outPitch = <usize>rows * 4;
  for (let group = from; group < to; group++) {
    const first = group * 16;
    const last = min(columns, first + 16);
    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      let c = first;
      for (; c + 4 <= last; c += 4) {
        const p = x + <usize>r * pitch + <usize>c * 4;
        const q = out + <usize>c * outPitch + <usize>r * 4;
        transposeFour(get(p), get(p + pitch), get(p + 2 * pitch), get(p + 3 * pitch), q, outPitch);
      }
      for (; c < last; c++) transposeCells(x, out, pitch, outPitch, r, r + 4, c);
    }
    for (let c = first; c < last; c++) transposeCells(x, out, pitch, outPitch, r, rows, c);
  }
}

function transposeCells(x: usize, out: usize, pitch: usize, outPitch: usize, from: i32, to: i32, c: i32): void {
  for (let r = from; r < to; r++) {
    store<f32>(out + <usize>c * outPitch + <usize>r * 4, load<f32>(x + <usize>r * pitch + <usize>c * 4));
  }
}

/**
 * Transposes up to four axes: the output is [.., n1, n2, n3] and the step of each of its axes in the input is given in
 * floats (`s0` to `s3`). A range counts the output's first axis.
 */
export function transpose(
  x: usize,
  out: usize,
  n1: i32,
  n2: i32,
  n3: i32,
  s0: i32,
  s1: i32,
  s2: i32,
  s3: i32,
  from: i32,
  to: i32,
): void {
  let q = out + <usize>from * n1 * n2 * n3 * 4;
  for (let i0 = from; i0 < to; i0++) {
    for (let i1 = 0; i1 < n1; i1++) {
      for (let i2 = 0; i2 < n2; i2++) {
        let p = x + (<usize>i0 * s0 + <usize>i1 * s1 + <usize>i2 * s2) * 4;
        if (s3 == 1) {
          memory.copy(q, p, <usize>n3 * 4);
          q += <usize>n3 * 4;
        } else {
          for (let i3 = 0; i3 < n3; i3++) {
            store<f32>(q, load<f32>(p));
            p += <usize>s3 * 4;
            q += 4;
          }
        }
      }
    }
  }
}
