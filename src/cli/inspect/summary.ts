import type { Dataset } from "../../data/dataset.ts";
import { lengthReasons } from "../../data/row-tokens.ts";
import { tokenizeEachRow } from "../../data/tokenize-rows.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { TokenizeOptions } from "../../data/tokens.ts";
import { terminalNumber, formatShare } from "../../report/format.ts";
import { terminalText } from "../../system/visible-text.ts";
import { labelled } from "../layout.ts";
import type { LeftOut } from "./left-out.ts";
import type { DataSource } from "./source.ts";

/** The longest row of a data set, before it is cut. */
export interface LongestRow {
  readonly rowId: number;
  readonly tokens: number;
}

export interface Findings {
  readonly source: DataSource;
  /** Absent without a tokenizer, and where nothing trains. */
  readonly tokens: TokenizedDataset | undefined;
  readonly leftOut: LeftOut;
  readonly notes: readonly string[];
  readonly longest: LongestRow | undefined;
}

/** How data are read, as lines with labels. */
export function summaryText({ source, tokens, leftOut, notes, longest }: Findings): string {
  const { dataset, tokenizer, options, limit } = source;
  const text = (sentence: string): string => terminalText(sentence.replace(/\s*\n\s*/g, ". "));
  return labelled([
    ["data", text(dataset.files.join(", "))],
    ["format", text(formatText(dataset))],
    ...columnLines(dataset, tokens).map(([label, line]) => [label, text(line)] as const),
    ["tokenizer", text(tokenizer?.path ?? "none: give --model for tokens, their mask and what of the rows is cut")],
    ...(limit === undefined ? [] : [["limit", text(`only the first rows are read: ${limit}`)] as const]),
    ["rows", text(rowsText(dataset, tokens, leftOut))],
    ...leftOutLines(dataset, leftOut).map(([label, line]) => [label, text(line)] as const),
    ...(tokens === undefined ? [] : [["tokens", tokensText(tokens)] as const]),
    ...(longest === undefined ? [] : [["longest", text(longestText(longest, tokens!, options))] as const]),
    ...notes.map((note) => ["note", text(note)] as const),
  ]);
}

/** As a configuration calls it, and as a person does where that is another word: "messages (chat)". */
function formatText({ format, formatTitle }: Dataset): string {
  return format === formatTitle ? format : `${format} (${formatTitle})`;
}

/** Which columns are used, as what, and which are not. */
function columnLines(
  { columns, fields }: Dataset,
  tokens: TokenizedDataset | undefined,
): (readonly [label: string, line: string])[] {
  const parts = Object.entries(fields);
  const used = parts.map(([part, column]) => (part === column ? column : `${column} as ${part}`)).join(", ");
  const perToken = tokens?.columnNames ?? [];
  const lines = [used, ...(perToken.length === 0 ? [] : [`per token: ${perToken.join(", ")}`])];
  const unread = tokens?.stats.unused ?? {};
  const taken = new Set([...parts.map(([, column]) => column), ...perToken]);
  const idle = [...columns.filter((column) => !taken.has(column)), ...Object.keys(unread).filter((c) => taken.has(c))];
  const named = idle.map((column) =>
    unread[column] === undefined ? column : `${column} (text in ${terminalNumber(unread[column])} rows)`,
  );
  return [
    ["columns", lines.join("; ")],
    ["not used", named.length === 0 ? "no other column" : named.join(", ")],
  ];
}

function rowsText({ length }: Dataset, tokens: TokenizedDataset | undefined, leftOut: LeftOut): string {
  const left = [...leftOut.reasons].map(([reason, count]) => `${terminalNumber(count)} left out (${reason})`);
  const refused = sum(leftOut.refusals);
  const trains = tokens?.length ?? length - sum(leftOut.reasons) - refused;
  const cut = tokens?.stats.truncated ?? 0;
  return [
    `${terminalNumber(length)} read`,
    `${terminalNumber(trains)} to train on`,
    ...left,
    ...(refused > 0 ? [`${terminalNumber(refused)} that would end a run`] : []),
    ...(cut > 0 ? [`${terminalNumber(cut)} cut`] : []),
  ].join(", ");
}

/** The first row that is left out, and the first of each kind at which a run would end. */
function leftOutLines(dataset: Dataset, { first, refused, refusals }: LeftOut): (readonly [string, string])[] {
  const skipped =
    first === undefined
      ? []
      : [
          [
            "left out",
            `first row ${place(first.rowId)} (${dataset.where(Math.floor(first.rowId))}): ${first.reason}`,
          ] as const,
        ];
  const ending = refused.map(({ rowId, error }) => {
    const count = refusals.get(error.code)!;
    const rows = count === 1 ? `row ${place(rowId)}` : `${terminalNumber(count)} rows, first row ${place(rowId)}`;
    return ["refused", `${rows}: ${error.message}`] as const;
  });
  return [...skipped, ...ending];
}

function place(rowId: number): string {
  return String(Math.floor(rowId));
}

function tokensText(tokens: TokenizedDataset): string {
  const { stats, length } = tokens;
  const lengths = Array.from({ length }, (_, i) => tokens.lengthOf(i)).sort((a, b) => a - b);
  const perRow = `${lengths[0]!} to ${lengths.at(-1)!} a row, median ${lengths[Math.floor((length - 1) / 2)]!}`;
  const share = `${terminalNumber(stats.responseTokens)} (${formatShare(stats.responseTokens / stats.tokens, 1)}) in responses`;
  return `${terminalNumber(stats.tokens)}, ${share}; ${perRow}`;
}

function longestText({ rowId, tokens }: LongestRow, { stats }: TokenizedDataset, options: TokenizeOptions): string {
  const { maxTokens, names } = options;
  const row = `row ${place(rowId)} with ${terminalNumber(tokens)} tokens`;
  if (maxTokens === undefined) return row;
  const skipped = lengthReasons.reduce((total, reason) => total + (stats.skipped[reason] ?? 0), 0);
  const limit = names!("maxTokens", String(maxTokens));
  const touched = stats.truncated + skipped;
  const lost = skipped > 0 ? `, ${terminalNumber(skipped)} of them so that they are left out` : "";
  return `${row}; ${limit} cuts ${terminalNumber(touched)} of ${terminalNumber(stats.rows)} rows (${formatShare(touched / stats.rows, 1)})${lost}`;
}

/** Looks for the longest row; of rows that were cut, before they were. */
export async function longestRow(
  dataset: Dataset,
  { tokenizer }: NonNullable<DataSource["tokenizer"]>,
  tokens: TokenizedDataset,
  options: TokenizeOptions,
): Promise<LongestRow> {
  let longest: LongestRow = { rowId: 0, tokens: 0 };
  const add = (rowId: number, length: number): void => {
    if (length > longest.tokens) longest = { rowId, tokens: length };
  };
  const isCut =
    tokens.stats.truncated > 0 || lengthReasons.some((reason) => tokens.stats.skipped[reason] !== undefined);
  if (!isCut) for (let i = 0; i < tokens.length; i++) add(tokens.rowIds[i]!, tokens.lengthOf(i));
  else
    await tokenizeEachRow(
      dataset,
      tokenizer,
      { ...options, maxTokens: undefined, truncate: "end" },
      {
        add: ({ rowId }, { ids }) => add(rowId, ids.length),
        skip: () => undefined,
        refuse: () => undefined,
      },
    );
  return longest;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
