import type { AnswerWeight, CharacterSpan } from "../text/index.ts";
import { fromJsonText, isNumber, kindOf, valueIn, WrongField, type Raw } from "./fields.ts";
import type { Example, Fields } from "./format.ts";
import { listOfEntries } from "./entries.ts";
import { holdsText } from "./lossy.ts";

/**
 * Spans of a text as a row has them: a list of `{ start, end, weight }`, as such, as JSON text, or as the object of lists
 * that a Hugging Face sequence becomes. Offsets count Unicode code points, as Python's do.
 *
 * @param where what the spans are called, for messages
 * @returns undefined where there are none
 * @throws WrongField for spans that are not of that form, lie outside the text, or overlap
 */
export function spansOf(value: unknown, text: string, where: string): CharacterSpan[] | undefined {
  if (value === null || value === undefined) return undefined;
  const entries = listOfEntries(fromJsonText(value));
  if (entries === undefined)
    throw new WrongField(`${where} are ${kindOf(value)}, not a list of { start, end, weight }`);
  const length = [...text].length;
  const spans = entries.map((entry, i) => spanOf(entry, length, `entry ${i} of ${where}`));
  const order = [...spans.keys()].sort((a, b) => spans[a]!.start - spans[b]!.start);
  for (const [place, i] of order.entries()) {
    const next = order[place + 1];
    if (next !== undefined && spans[next]!.start < spans[i]!.end)
      throw new WrongField(`entries ${Math.min(i, next)} and ${Math.max(i, next)} of ${where} overlap`);
  }
  return spans.length > 0 ? spans : undefined;
}

function spanOf(entry: unknown, length: number, where: string): CharacterSpan {
  const { start, end, weight } = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
  const [from, to] = [offsetOf(start, "start", where), offsetOf(end, "end", where)];
  const counts = typeof weight === "boolean" || isNumber(weight) ? Number(weight) : NaN;
  if (Number.isNaN(counts)) throw new WrongField(`${where} has ${kindOf(weight)} as "weight", not a number`);
  if (from < 0 || to > length || from >= to)
    throw new WrongField(`${where} goes from ${from} to ${to}, and the text has characters 0 to ${length}`);
  return { start: from, end: to, weight: counts };
}

function offsetOf(value: unknown, name: string, where: string): number {
  if (isNumber(value) && Number.isSafeInteger(Number(value))) return Number(value);
  throw new WrongField(`${where} has ${isNumber(value) ? value : kindOf(value)} as "${name}", not a whole number`);
}

/**
 * Spans as Axolotl writes them, `{ begin_offset, end_offset, train }` with the last character at `end_offset`: what none
 * of them lets train has the weight 0.
 *
 * @throws WrongField as `spansOf` does
 */
export function detailsOf(value: unknown, text: string, where: string): CharacterSpan[] | undefined {
  const entries = listOfEntries(fromJsonText(value));
  const read = entries?.map((entry) => {
    const { begin_offset, end_offset, train } = (entry ?? {}) as Record<string, unknown>;
    return { start: begin_offset, end: isNumber(end_offset) ? Number(end_offset) + 1 : end_offset, weight: train };
  });
  const spans = spansOf(read ?? value, text, where)?.sort((a, b) => a.start - b.start);
  if (spans === undefined) return undefined;
  const ends = [0, ...spans.map(({ end }) => end)];
  const starts = [...spans.map(({ start }) => start), [...text].length];
  const gaps = ends.map((start, i) => ({ start, end: starts[i]!, weight: 0 })).filter(({ start, end }) => start < end);
  return [...spans, ...gaps];
}

/** Whether a value is meant as spans with weights, and not as marks of another kind (entities, for example). */
export function looksLikeSpans(value: unknown): boolean {
  const read = fromJsonText(value);
  const isSpan = (entry: unknown): boolean =>
    typeof entry === "object" && entry !== null && "weight" in entry && ("start" in entry || "end" in entry);
  return isSpan(read) || (listOfEntries(read)?.some(isSpan) ?? false);
}

/** An answer's weight with spans of its text. */
export function withSpans(
  weight: number | undefined,
  spans: readonly CharacterSpan[] | undefined,
): AnswerWeight | undefined {
  return weight === 0 || spans === undefined ? weight : { weight: weight ?? 1, spans };
}

/**
 * A row with the spans of its response: those of the column that `data.fields.spans` names, or of a column `spans` or of
 * weights whose entries have weights. What the row's prompt has of the response's column is left out of them.
 *
 * @throws WrongField for spans where the row has no response as one text
 */
export function spannedExample(raw: Raw, fields: Fields, isNamed: boolean, example: Example): Example {
  const columns = [...new Set([fields.spans, fields.weights, "weights"])].filter((name) => name !== undefined);
  const [column, more] = columns.filter(
    (name) => looksLikeSpans(raw[name]) || (isNamed && name === fields.spans && valueIn(raw, name) !== undefined),
  );
  if (column === undefined) {
    const isIdle = fields.spans !== undefined && holdsText(raw[fields.spans]);
    return isIdle ? { ...example, unused: [...(example.unused ?? []), fields.spans!] } : example;
  }
  if (more !== undefined) throw new WrongField(`"${column}" and "${more}" both have spans`);
  const { messages, messageWeights, response, responseBegins = "", tokens } = example;
  if (tokens !== undefined)
    throw new WrongField(`"${column}" counts characters, and a row of tokens has none: give a number for each token`);
  if (response === undefined) throw new WrongField(`"${column}" is of the row, and its spans stand on its messages`);
  const spans = spansOf(raw[column], responseBegins + response, `"${column}"`);
  if (spans === undefined) return example;
  const shift = [...responseBegins].length;
  const own = spans
    .map(({ start, end, weight }) => ({ start: Math.max(0, start - shift), end: end - shift, weight }))
    .filter(({ end }) => end > 0);
  const weights = messages?.map((_, i) => messageWeights?.[i] ?? 1);
  weights?.splice(-1, 1, { weight: 1, spans: own });
  return { ...example, spans: own, ...(weights && { messageWeights: weights }) };
}
