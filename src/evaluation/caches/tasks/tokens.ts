import { encodeText, type Tokenizer } from "../../../text/index.ts";

/** Tokens of a text and of what follows it: joined as they are, or each by itself where the two would share a token. */
export function continuedTokens(
  tokenizer: Tokenizer,
  before: string,
  after: string,
): { before: number[]; after: number[] } {
  const first = encodeText(tokenizer, before);
  const joined = encodeText(tokenizer, before + after);
  const isPrefix = first.every((id, i) => joined[i] === id);
  return { before: first, after: isPrefix ? joined.slice(first.length) : [...tokenizer.encode(after)] };
}

/** A row of data as text. */
export interface TextRow {
  readonly rowId: number;
  readonly text: string;
}

/** A problem, with the rows of the data that it was made from. */
export interface MadeFrom {
  /** The first and the last. */
  readonly rows: readonly [number, number];
}
