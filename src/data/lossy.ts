import { propertyNames, type OptionNames } from "../system/option-names.ts";
import { rewrittenRemark, type Tokenizer } from "../text/index.ts";
import { holds } from "./fields.ts";
import type { TokenizedStats } from "./tokenized.ts";

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
  return holds(value, (part) => typeof part === "string" && part !== "");
}

/** What was counted so far; plain values. */
export interface LossCounts {
  readonly rows: number;
  readonly unknown: { tokens: number; inPrompts: number; inResponses: number; rows: number };
  readonly ends: { isTaught: boolean; lasts: readonly number[] };
}

/** Counts what the text of a dataset lost on its way to tokens, row by row, and puts it into sentences. */
export interface LossCounter {
  add(row: { readonly ids: Int32Array; readonly response: Uint8Array }): void;
  counts(): LossCounts;
  /** Sentences with counts: words without a token, columns that are not used, what a person should know of the rows. */
  notes(stats: TokenizedStats): string[];
}

/**
 * @param fromText whether the rows were texts, so that unknown tokens stand for something
 * @param names how sentences call the options of who reads the data
 * @param counted what to go on from
 */
export function countLosses(
  tokenizer: Pick<Tokenizer, "unknownId" | "piece" | "endOfText">,
  {
    fromText,
    names = propertyNames,
    counted,
  }: { fromText: boolean; names?: OptionNames; counted?: LossCounts | undefined },
): LossCounter {
  const unknown = unknownTokens(tokenizer, fromText ? tokenizer.unknownId : undefined, counted?.unknown);
  const ends = turnEnds(tokenizer, counted?.ends);
  let rows = counted?.rows ?? 0;
  return {
    add(row) {
      rows++;
      unknown.add(row);
      ends.add(row);
    },
    counts: () => ({ rows, unknown: unknown.counts(), ends: ends.counts() }),
    notes: (stats) => [
      ...unknown.notes(rows),
      ...Object.entries(stats.unused ?? {}).map(
        ([column, count]) => `the column "${column}" holds text in ${count} of ${stats.rows} rows, which is not used`,
      ),
      ...Object.entries(stats.remarks ?? {}).map(
        ([remark, count]) => `${remark}${adviceOn(remark, names)} (in ${count} of ${stats.rows} rows)`,
      ),
      ...(stats.truncated === rows ? [] : ends.notes()),
    ],
  };
}

/** What can be done about a remark on rows; remarks are kept with the tokens, whoever reads them next. */
function adviceOn(remark: string, names: OptionNames): string {
  return remark === rewrittenRemark ? `; ${names("trainTurns", "last")} trains the last one alone` : "";
}

/** Counts unknown tokens, which stand where text is lost: in prompts, and in responses, where they train. */
function unknownTokens(
  { piece }: Pick<Tokenizer, "piece">,
  unknownId: number | undefined,
  counted: LossCounts["unknown"] = { tokens: 0, inPrompts: 0, inResponses: 0, rows: 0 },
) {
  let { tokens, inPrompts, inResponses, rows } = counted;
  return {
    counts: (): LossCounts["unknown"] => ({ tokens, inPrompts, inResponses, rows }),
    add({ ids, response }: Parameters<LossCounter["add"]>[0]): void {
      tokens += ids.length;
      const before = inPrompts + inResponses;
      for (let t = 0; t < ids.length && unknownId !== undefined; t++) {
        if (ids[t] !== unknownId) continue;
        if (response[t] === 1) inResponses++;
        else inPrompts++;
      }
      rows += Number(inPrompts + inResponses > before);
    },
    notes(all: number): string[] {
      const count = inPrompts + inResponses;
      if (count === 0) return [];
      const where = inResponses === 0 ? "" : `, ${inResponses} of them in responses, which train`;
      const name = piece(unknownId!).trim();
      return [
        `${count} of ${tokens} tokens, in ${rows} of ${all} rows, are ${name}${where}: the tokenizer cannot spell the text`,
      ];
    },
  };
}

/** Says so where nothing in the data ends a response with a token that generation stops at. */
function turnEnds(
  { endOfText = [], piece }: Pick<Tokenizer, "piece" | "endOfText">,
  counted: LossCounts["ends"] = { isTaught: false, lasts: [] },
) {
  const lasts = new Set(counted.lasts);
  let { isTaught } = counted;
  return {
    counts: (): LossCounts["ends"] => ({ isTaught, lasts: [...lasts] }),
    add({ ids, response }: Parameters<LossCounter["add"]>[0]): void {
      for (let t = 0; t < ids.length && !isTaught; t++) {
        if (response[t] !== 1 || response[t + 1] === 1) continue;
        isTaught = endOfText.includes(ids[t]!);
        if (lasts.size < 3) lasts.add(ids[t]!);
      }
    },
    notes(): string[] {
      if (isTaught || lasts.size === 0) return [];
      const shown = (all: Iterable<number>): string => [...all].map((id) => JSON.stringify(piece(id))).join(", ");
      const stops = endOfText.length === 0 ? "which knows no such token" : `which stops at ${shown(endOfText)}`;
      return [
        `no answer ends with a token that ends generation, ${stops}; answers end with ${shown(lasts)}: the model will not learn to stop`,
      ];
    },
  };
}
