/** The tokens of one row of a dataset; entry t of each array describes token t. */
export interface TokenizedRow {
  ids: Int32Array;
  /** 1 on the tokens of a response, its end token included. */
  response: Uint8Array;
  /** 1 on the tokens that end a response. */
  endOfTurn: Uint8Array;
  /** What the data's author lets each token count; absent where all of the response counts 1. */
  dataWeights?: Float32Array;
  /** Whether the row was longer than it may be: its end is cut off. */
  truncated: boolean;
  /** Columns of the row whose text is not used. */
  unused?: readonly string[];
  /** Sentences without an end on what of the row is not as its author may expect; the same for all rows of a kind. */
  remarks?: readonly string[];
}

/** A response in a row: tokens from `start` to before `end`; `endsTurn` if the last of them ends the turn. */
export interface ResponseSpan {
  start: number;
  end: number;
  endsTurn: boolean;
  /** What its tokens count. 0: they do not train. Default 1. */
  weight?: number;
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
  const isWeighed = spans.some(({ weight }) => weight !== undefined);
  const dataWeights = isWeighed ? new Float32Array(ids.length) : undefined;
  for (const { start, end, endsTurn, weight = 1 } of spans) {
    if (weight === 0) continue;
    response.fill(1, start, end);
    dataWeights?.fill(weight, start, end);
    if (endsTurn) endOfTurn[end - 1] = 1;
  }
  if (!response.includes(1)) return { skipped: "no response" };
  const kept = response.slice(0, length);
  if (!kept.includes(1)) return { skipped: "the response lies beyond maxTokens" };
  return {
    ids: Int32Array.from(ids.slice(0, length)),
    response: kept,
    endOfTurn: endOfTurn.slice(0, length),
    ...(dataWeights && { dataWeights: dataWeights.slice(0, length) }),
    truncated: length < ids.length,
  };
}

export function startsWith(whole: readonly number[], prefix: readonly number[]): boolean {
  return prefix.length <= whole.length && prefix.every((id, t) => whole[t] === id);
}
