/** The tokens of one row of a dataset; entry t of each array describes token t. */
export interface TokenizedRow {
  ids: Int32Array;
  /** 1 on the tokens of a response, its end token included. */
  response: Uint8Array;
  /** 1 on the tokens that end a response. */
  endOfTurn: Uint8Array;
  /**
   * What the data's author lets each token count; absent where all of the response counts 1 and nothing else does. On
   * the prompt it is what `promptWeight` gives, else 0.
   */
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
  /** What each of its tokens counts, times `weight`. Default: 1 each. */
  tokenWeights?: Float64Array;
}

/** What tokens of prompts count, which are what stands outside of responses and has one that trains behind it. */
export interface PromptWeight {
  /** Of prompts' tokens. */
  prompt: number;
  /** Of the tokens of the system's message, at the row's beginning. */
  system: number;
}

export interface TokenRowOptions {
  /** Longer rows are cut at their end. */
  maxTokens?: number | undefined;
  /** Default: prompts do not train. */
  promptWeight?: PromptWeight | undefined;
  /** Tokens of the system's message, with what stands before it. */
  systemTokens?: number | undefined;
}

/** Why a row is left out whose response is cut away as a whole. */
export const beyondLimit = "the response lies beyond the limit of tokens";

/** Marks the responses and cuts the row to `maxTokens`. */
export function tokenRow(
  ids: readonly number[],
  spans: readonly ResponseSpan[],
  { maxTokens = Number.POSITIVE_INFINITY, promptWeight, systemTokens }: TokenRowOptions = {},
): TokenizedRow | { skipped: string } {
  const length = Math.min(ids.length, maxTokens);
  const response = new Uint8Array(ids.length);
  const endOfTurn = new Uint8Array(ids.length);
  const isWeighed = spans.some(({ weight, tokenWeights }) => weight !== undefined || tokenWeights !== undefined);
  const dataWeights =
    isWeighed || promptWeight ? weightsAround(ids.length, spans, promptWeight, systemTokens) : undefined;
  for (const { start, end, endsTurn, weight = 1, tokenWeights } of spans) {
    if (dataWeights === undefined) response.fill(1, start, end);
    else
      for (let t = start; t < end; t++) {
        const own = weight * (tokenWeights?.[t - start] ?? 1);
        dataWeights[t] = own;
        response[t] = Number(own !== 0);
      }
    if (endsTurn) endOfTurn[end - 1] = response[end - 1]!;
  }
  if (!response.includes(1)) return { skipped: "no response" };
  const kept = response.slice(0, length);
  if (length < ids.length && !kept.includes(1)) return { skipped: beyondLimit };
  const numbers = new Int32Array(length);
  for (let t = 0; t < length; t++) numbers[t] = ids[t]!;
  return {
    ids: numbers,
    response: kept,
    endOfTurn: endOfTurn.slice(0, length),
    ...(dataWeights && { dataWeights: dataWeights.slice(0, length) }),
    truncated: length < ids.length,
  };
}

/** What tokens outside of responses count: those of prompts, but for the first of the row, which nothing predicts. */
function weightsAround(
  length: number,
  spans: readonly ResponseSpan[],
  promptWeight: PromptWeight | undefined,
  systemTokens = 0,
): Float32Array {
  const weights = new Float32Array(length);
  if (promptWeight === undefined) return weights;
  const end = spans.reduce((last, { start, weight }) => (weight === 0 ? last : Math.max(last, start)), 0);
  for (let t = 1; t < end; t++) weights[t] = t < systemTokens ? promptWeight.system : promptWeight.prompt;
  return weights;
}

export function startsWith(whole: readonly number[], prefix: readonly number[]): boolean {
  let same = 0;
  while (same < prefix.length && whole[same] === prefix[same]) same++;
  return same === prefix.length && same <= whole.length;
}
