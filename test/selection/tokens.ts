import type { RuleContext, Signal, Tokens } from "../../src/contract/index.ts";
import { hashUniform } from "../../src/system/random.ts";

export const context = (change: Partial<RuleContext> & { seed?: number } = {}): RuleContext => ({
  step: 3,
  samplesSeen: 20_000,
  uniform: (rowId, token) => hashUniform(change.seed ?? 1, rowId, token),
  ...change,
});

/** Those in [0, 1]. */
const shares: readonly string[] = ["promptAttention", "concentration"];

const signals = [
  "nll",
  "historyNll",
  "referenceNll",
  "promptAttention",
  "entropy",
  "entropyTop20",
  "column:token_weights",
  "concentration",
] as const;

/** Rows written as text, `P` prompt, `r` response, `e` response and end of turn, with made-up signals on real tokens. */
export function makeTokens(layout: readonly string[], { padding = 0, firstRow = 100 } = {}): Tokens<Signal> {
  const width = Math.max(...layout.map((row) => row.length)) + padding;
  const each = (value: (mark: string, row: number, token: number) => number) =>
    layout.flatMap((row, b) => Array.from(row.padEnd(width), (mark, t) => value(mark, firstRow + b, t)));
  return {
    rows: layout.length,
    width,
    rowIds: Float64Array.from(layout, (_, b) => firstRow + b),
    response: Uint8Array.from(each((mark) => Number(mark === "r" || mark === "e"))),
    endOfTurn: Uint8Array.from(each((mark) => Number(mark === "e"))),
    signals: Object.fromEntries(
      signals.map((name, s) => {
        const made = each((mark, row, t) => (mark === " " ? 0 : hashUniform(1000 + s, row, t) * 3));
        return [name, Float32Array.from(made, (x) => (shares.includes(name) ? x / 3 : x))];
      }),
    ) as Record<Signal, Float32Array>,
  };
}

/** Row `b` of a batch, cut to `length` tokens, as a batch of its own. */
export function oneRow(tokens: Tokens<Signal>, b: number, length: number): Tokens<Signal> {
  const cut = <A extends Uint8Array | Float32Array>(array: A) =>
    array.slice(b * tokens.width, b * tokens.width + length) as A;
  return {
    rows: 1,
    width: length,
    rowIds: tokens.rowIds.slice(b, b + 1),
    response: cut(tokens.response),
    endOfTurn: cut(tokens.endOfTurn),
    signals: Object.fromEntries(Object.entries(tokens.signals).map(([name, array]) => [name, cut(array)])) as Record<
      Signal,
      Float32Array
    >,
  };
}

/** Rows of response marks with signals by name, row after row; signals that are not given are absent. */
export function tokensOf(response: number[][], signals: Readonly<Record<string, number[]>>): Tokens<Signal> {
  const marks = Uint8Array.from(response.flat());
  return {
    rows: response.length,
    width: response[0]!.length,
    rowIds: Float64Array.from(response, (_, b) => b),
    response: marks,
    endOfTurn: new Uint8Array(marks.length),
    signals: Object.fromEntries(
      Object.entries(signals).map(([name, values]) => [name, Float32Array.from(values)]),
    ) as Tokens<Signal>["signals"],
  };
}
