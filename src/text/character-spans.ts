import { UserError } from "../system/errors.ts";
import { tokenRanges, type TokenStretch } from "./token-ranges.ts";

/** Some characters of a text and what they count. Characters are Unicode code points, as Python counts them. */
export interface CharacterSpan {
  /** The first character, from 0. */
  start: number;
  /** Behind the last one. */
  end: number;
  weight: number;
}

/** What an answer counts: one number, or one for the whole of it and, times that, others for some of its characters. */
export type AnswerWeight = number | { weight: number; spans: readonly CharacterSpan[] };

/**
 * What each token of a stretch counts by spans that do not overlap. Characters outside of them count 1. A token counts
 * what most of its characters do, and of equally many what the first of them do; a character that several tokens spell
 * is one of each. White space is left out, unless a token has nothing else. Tokens that spell nothing count 1.
 *
 * @throws UserError where the tokenizer does not say which characters a token stands for
 */
export function weightsOfSpans(stretch: TokenStretch, spans: readonly CharacterSpan[]): Float64Array {
  const characters = [...stretch.text];
  const counts = new Float64Array(characters.length).fill(1);
  for (const { start, end, weight } of spans) counts.fill(weight, start, end);
  const ranges = tokenRanges(stretch);
  if (ranges === undefined)
    throw new UserError(
      "unsupported-tokenizer",
      "the tokenizer changes the text before it divides it, so that spans of characters cannot be told in tokens",
      { fix: "Give weights of whole messages, or a number for each token (data.fields.weights)." },
    );
  return Float64Array.from(ranges, ({ from, to }) => {
    const own = Array.from({ length: to - from }, (_, i) => from + i);
    const shown = own.filter((place) => characters[place]!.trim() !== "");
    return commonest((shown.length > 0 ? shown : own).map((place) => counts[place]!));
  });
}

/** The value that occurs most often, and of several the one that comes first; 1 without any. */
function commonest(values: readonly number[]): number {
  const occurrences = new Map<number, number>();
  for (const value of values) occurrences.set(value, (occurrences.get(value) ?? 0) + 1);
  let [found, most] = [1, 0];
  for (const [value, count] of occurrences) if (count > most) [found, most] = [value, count];
  return found;
}
