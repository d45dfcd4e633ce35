import type { Tokenizer } from "../text/index.ts";
import type { TokenizedDataset } from "./tokenized.ts";

/** Names the columns of a row that hold text which nothing reads; without any, no key. */
export function unusedText(
  raw: Readonly<Record<string, unknown>>,
  columns: readonly string[],
  others: readonly string[] = [],
): { unused?: readonly string[] } {
  const unused = [...others, ...columns.filter((column) => holdsText(raw[column]))];
  return unused.length > 0 ? { unused } : {};
}

/** Whether a value is a text, or holds one at any depth. */
export function holdsText(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return Object.values(value).some(holdsText);
}

type LossyTokens = Pick<TokenizedDataset, "ids" | "offsets" | "response" | "length" | "stats">;

/** Sentences on what the text of a dataset lost on its way to tokens, with counts: words without a token, columns. */
export function lossNotes(
  tokens: LossyTokens,
  tokenizer: Pick<Tokenizer, "unknownId" | "piece" | "endOfText">,
  { fromText }: { fromText: boolean },
): string[] {
  const notes: string[] = [];
  const { unknownId, piece } = tokenizer;
  const { count, rows } = unknownTokens(tokens, fromText ? unknownId : undefined);
  if (count > 0)
    notes.push(
      `${count} of ${tokens.ids.length} tokens, in ${rows} of ${tokens.length} rows, are ${piece(unknownId!).trim()}: ` +
        "the tokenizer cannot spell the text",
    );
  for (const [column, count] of Object.entries(tokens.stats.unused ?? {}))
    notes.push(`the column "${column}" holds text in ${count} of ${tokens.stats.rows} rows, which is not used`);
  for (const [remark, count] of Object.entries(tokens.stats.remarks ?? {}))
    notes.push(`${remark} (in ${count} of ${tokens.stats.rows} rows)`);
  const ends = endNote(tokens, tokenizer);
  return ends === undefined ? notes : [...notes, ends];
}

/** Said where nothing in the data ends a response with a token that generation stops at. */
function endNote(
  { ids, response, length, offsets, stats }: LossyTokens,
  { endOfText = [], piece }: Pick<Tokenizer, "piece" | "endOfText">,
): string | undefined {
  const lasts = new Set<number>();
  for (let row = 0; row < length; row++)
    for (let t = offsets[row]!; t < offsets[row + 1]!; t++) {
      if (response[t] !== 1 || (t + 1 < offsets[row + 1]! && response[t + 1] === 1)) continue;
      if (endOfText.includes(ids[t]!)) return undefined;
      if (lasts.size < 3) lasts.add(ids[t]!);
    }
  if (lasts.size === 0 || stats.truncated === length) return undefined;
  const shown = (all: Iterable<number>): string => [...all].map((id) => JSON.stringify(piece(id))).join(", ");
  const stops = endOfText.length === 0 ? "which knows no such token" : `which stops at ${shown(endOfText)}`;
  return `no answer ends with a token that ends generation, ${stops}; answers end with ${shown(lasts)}: the model will not learn to stop`;
}

function unknownTokens(
  { ids, offsets, length }: Pick<TokenizedDataset, "ids" | "offsets" | "length">,
  unknownId: number | undefined,
): { count: number; rows: number } {
  let [count, rows] = [0, 0];
  for (let row = 0; row < length && unknownId !== undefined; row++) {
    const before = count;
    for (let t = offsets[row]!; t < offsets[row + 1]!; t++) count += Number(ids[t] === unknownId);
    rows += Number(count > before);
  }
  return { count, rows };
}
