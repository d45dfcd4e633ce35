/** The tokens of one row of a dataset; entry t of each array describes token t. */
export interface TokenizedRow {
  ids: Int32Array;
  /** 1 on the tokens of a response, its end token included. */
  response: Uint8Array;
  /** 1 on the tokens that end a response. */
  endOfTurn: Uint8Array;
  /** Whether the row was longer than it may be: its end is cut off. */
  truncated: boolean;
}

/** A response in a row: tokens from `start` to before `end`; `endsTurn` if the last of them ends the turn. */
export interface ResponseSpan {
  start: number;
  end: number;
  endsTurn: boolean;
}

/** Marks the responses and cuts the row to `maxTokens`. */
export function tokenRow(
  ids: readonly number[],
  spans: readonly ResponseSpan[],
  maxTokens = Number.POSITIVE_INFINITY,
): TokenizedRow | { skipped: string } {
  const length = Math.min(ids.length, maxTokens);
  const response = new Uint8Array(ids.length);
  const endOfTurn = new Uint8Array(ids.length);
  for (const { start, end, endsTurn } of spans) {
    response.fill(1, start, end);
    if (endsTurn) endOfTurn[end - 1] = 1;
  }
  if (!response.includes(1)) return { skipped: "no response" };
  const kept = response.slice(0, length);
  if (!kept.includes(1)) return { skipped: "the response lies beyond maxTokens" };
  return {
    ids: Int32Array.from(ids.slice(0, length)),
    response: kept,
    endOfTurn: endOfTurn.slice(0, length),
    truncated: length < ids.length,
  };
}

export function startsWith(whole: readonly number[], prefix: readonly number[]): boolean {
  return prefix.length <= whole.length && prefix.every((id, t) => whole[t] === id);
}
