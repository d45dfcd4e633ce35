import type { Tokenizer } from "../../../text/index.ts";

/**
 * Where the question of a prompt begins: the first token of its last sentence. What a chat template puts behind it is a
 * part of the question.
 * @returns how many tokens stand before it; undefined where the prompt is one sentence
 */
export function questionStart(tokenizer: Tokenizer, prompt: readonly number[]): number | undefined {
  const written = (count: number): string => tokenizer.decode(prompt.slice(0, count));
  const text = written(prompt.length);
  const last = Math.max(...[".", "?", "!"].map((mark) => text.lastIndexOf(mark)));
  const ends = [...text.slice(0, Math.max(0, last)).matchAll(/[.?!]["')\]]*(?=\s)|\n/g)];
  const end = ends.findLast(({ index }) => text.slice(index + 1, last).trim() !== "");
  if (end === undefined) return undefined;
  const at = end.index + end[0].length;
  let [low, high] = [0, prompt.length]; // the most tokens whose text ends at the sentence's end, or before
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (written(middle).trimEnd().length <= at) low = middle;
    else high = middle - 1;
  }
  return low > 0 ? low : undefined;
}
