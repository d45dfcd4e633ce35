import { weightsOfSpans, type CharacterSpan } from "./character-spans.ts";
import { startsWith, tokenRow, type PromptWeight, type TokenizedRow } from "./token-row.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface PromptResponseOptions {
  /** Longer rows are cut at their end. */
  maxTokens?: number | undefined;
  /** What characters of the response count; the others, and the end token, count 1. */
  spans?: readonly CharacterSpan[] | undefined;
  /** The prompt trains with this weight. Default: it does not. */
  promptWeight?: PromptWeight | undefined;
}

/**
 * Tokens of a prompt and its response, joined as they are, with the beginning token if the tokenizer adds one and the
 * text does not bring it, and the end-of-text token behind the response. Where the two would share a token, each is
 * encoded on its own: the prompt then has the same tokens as when the model is asked to answer it.
 */
export function tokenizePromptResponse(
  tokenizer: Tokenizer,
  prompt: string,
  response: string,
  { spans, ...options }: PromptResponseOptions = {},
): TokenizedRow | { skipped: string } {
  if (response === "") return { skipped: "no response" };
  const promptIds = tokenizer.encode(prompt);
  const joined = tokenizer.encode(prompt + response);
  const apart = (): number[] => [...promptIds, ...tokenizer.encode(response)];
  const isJoined = startsWith(joined, promptIds) && !sharesUnknown(tokenizer, promptIds, joined, apart);
  const whole = isJoined ? joined : apart();
  const beginning = missingBeginning(tokenizer, whole);
  const ids = [...beginning, ...whole];
  const ends = tokenizer.endOfText ?? [];
  const isEnded = whole.length > promptIds.length && ends.includes(whole.at(-1)!);
  if (!isEnded && ends[0] !== undefined) ids.push(ends[0]);
  const start = beginning.length + promptIds.length;
  const encodePrefix = (length: number): readonly number[] => {
    const begun = response.slice(0, length);
    return isJoined ? tokenizer.encode(prompt + begun).slice(promptIds.length) : tokenizer.encode(begun);
  };
  const stretch = { tokenizer, text: response, ids: ids.slice(start), encodePrefix };
  const tokenWeights = spans === undefined ? {} : { tokenWeights: weightsOfSpans(stretch, spans) };
  return tokenRow(ids, [{ start, end: ids.length, endsTurn: ends.length > 0, ...tokenWeights }], options);
}

/** Whether the unknown token that ends the prompt stands for a part of the response as well, which would be lost in it. */
function sharesUnknown(
  { unknownId }: Tokenizer,
  prompt: readonly number[],
  joined: readonly number[],
  apart: () => readonly number[],
): boolean {
  return unknownId !== undefined && prompt.at(-1) === unknownId && apart().length !== joined.length;
}

/** Tokens of a text that is to be continued: with the beginning token where the tokenizer adds one, and no end token. */
export function encodeText(tokenizer: Tokenizer, text: string): number[] {
  const ids = tokenizer.encode(text);
  return [...missingBeginning(tokenizer, ids), ...ids];
}

/** The tokens that the tokenizer puts before a text, unless the text begins with them. */
function missingBeginning(tokenizer: Tokenizer, ids: readonly number[]): readonly number[] {
  const beginning = beginningIds(tokenizer);
  return startsWith(ids, beginning) ? [] : beginning;
}

const beginnings = new WeakMap<Tokenizer, readonly number[]>();

/** The tokens that the tokenizer puts before a text. */
export function beginningIds(tokenizer: Tokenizer): readonly number[] {
  const known = beginnings.get(tokenizer);
  if (known !== undefined) return known;
  const found = beginningOf(tokenizer);
  beginnings.set(tokenizer, found);
  return found;
}

function beginningOf(tokenizer: Tokenizer): number[] {
  const bare = tokenizer.encode("a");
  const dressed = tokenizer.encode("a", { addSpecialTokens: true });
  for (let start = 0; start + bare.length <= dressed.length; start++) {
    if (startsWith(dressed.slice(start), bare)) return dressed.slice(0, start);
  }
  return [];
}
