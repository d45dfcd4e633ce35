import type { Tokens } from "../../src/contract/index.ts";

/** Rows written as text, `P` prompt, `r` response token, right-padded. */
export function makeResponses(layout: readonly string[], { padding = 0, firstRow = 40 } = {}): Tokens {
  const width = Math.max(...layout.map((row) => row.length)) + padding;
  return {
    rows: layout.length,
    width,
    rowIds: Float64Array.from(layout, (_, b) => firstRow + b),
    response: Uint8Array.from(layout.flatMap((row) => Array.from(row.padEnd(width), (mark) => Number(mark === "r")))),
    endOfTurn: new Uint8Array(layout.length * width),
    signals: {},
  };
}

/** Values of one response per row, put on its response tokens; `filler` everywhere else. */
export function onResponses(tokens: Tokens, rows: readonly (readonly number[])[], filler = 0): Float32Array {
  const result = new Float32Array(tokens.rows * tokens.width).fill(filler);
  rows.forEach((values, b) => {
    let next = 0;
    for (let i = b * tokens.width; i < (b + 1) * tokens.width; i++) if (tokens.response[i]) result[i] = values[next++]!;
  });
  return result;
}

/** The response tokens' values of one row, in order. */
export function responseOf(tokens: Tokens, array: Float32Array, row: number): number[] {
  return Array.from(array.subarray(row * tokens.width, (row + 1) * tokens.width)).filter(
    (_, t) => tokens.response[row * tokens.width + t],
  );
}

/** The largest difference between two arrays of equal length. */
export function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = difference;
  }
  return most;
}
