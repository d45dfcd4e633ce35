import { formatDuration, formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import { type Content, html, type Html } from "../../report/html.ts";
import type { ArmRun, Evaluation } from "../../report/run.ts";
import { type JsonObject, labelOf, numberOf, ownMetricsOf, textOf } from "../../report/run-files.ts";
import { type Column, tableHtml } from "../../report/table.ts";

/** One column of a recipe's results. One declaration gives the terminal's table, `results.json` and the page's table. */
export interface ResultColumn {
  /** Of a row of `results.json`. */
  readonly key: string;
  /** In the terminal's table; false leaves the column out there. */
  readonly head: string | false;
  /** On the page; default `head`, with a capital letter. False leaves the column out there. */
  readonly page?: string | false;
  readonly kind: "text" | "count" | "share" | "loss" | "number" | "seconds" | "bar";
  /** Pale: a number to start from. */
  readonly from?: true;
  /** Text that may need several lines on the page. */
  readonly wrap?: true;
  /** Columns of one group are left out together, where no row has a value in any of them. Default: `key`. */
  readonly group?: string;
  /** What the column is called where the run says in a sentence how the main arm compares in it with its controls. */
  readonly compared?: string;
}

/** A row of `results.json`: the columns' values by key, and whatever else a report reads of it. */
export type ResultRow = Readonly<Record<string, unknown>>;

type ColumnOptions = Partial<Pick<ResultColumn, "head" | "page" | "from" | "wrap" | "group" | "compared">>;

const columnOf =
  (kind: ResultColumn["kind"]) =>
  (key: string, options: ColumnOptions = {}): ResultColumn => ({ key, head: key, kind, ...options });

/** A name. */
export const textColumn = columnOf("text");
/** A whole number. */
export const countColumn = columnOf("count");
/** A share from 0 to 1: three decimals in the terminal, per cent on the page. */
export const shareColumn = columnOf("share");
/** The standard error of the column before it. */
export const errorColumn = (key: string): ResultColumn =>
  columnOf("share")(key, { head: "±", page: "± standard error", from: true });
/** Mean probability of the held-out rows' reference responses. */
export const probabilityColumn = (key = "referenceProbability", options: ColumnOptions = {}): ResultColumn =>
  columnOf("share")(key, { head: "p(reference)", page: "Probability of the reference", ...options });
/** Nats, four decimals. */
export const lossColumn = columnOf("loss");
/** A share as a line within a frame; on the page alone. */
export const barColumn = (key: string, page: string): ResultColumn => columnOf("bar")(key, { head: false, page });
/** Any number, two decimals. */
export const numberColumn = columnOf("number");
/** A time in seconds. */
export const secondsColumn = columnOf("seconds");

/** Where early stopping ended an arm, and which step's model was saved where that is not the last one's. */
export const endColumns: readonly ResultColumn[] = [
  countColumn("stoppedAt", { head: "stopped at", page: "Stopped at" }),
  countColumn("savedStep", { head: "model of", page: "Model of step" }),
];

/** The same of an arm, for its row. */
export function endOf({ stoppedAt, savedStep, stopped }: ArmEnd): ResultRow {
  return { ...finite({ stoppedAt, savedStep }), ...(stopped !== undefined && { stopped }) };
}

type ArmEnd = Partial<Pick<ArmRun, "stoppedAt" | "savedStep" | "stopped">>;

function finite(numbers: Readonly<Record<string, number | undefined>>): ResultRow {
  return Object.fromEntries(Object.entries(numbers).filter(([, value]) => isNumber(value)));
}

/** Of the rows' arms that were stopped early, why, as sentences. */
export function stopNotes(rows: readonly ResultRow[]): string[] {
  const told = rows.flatMap(({ name, model, stopped }) =>
    typeof stopped === "string" ? [`${textOf(name ?? model) ?? "The training"} ${stopped}`] : [],
  );
  return [...new Set(told)];
}

/** A number of the user's own metric. */
export const ownColumn = (name: string): ResultColumn => lossColumn(name, { page: name, compared: name });

/** Numbers of the user's own metric as a row of the results has them. */
export function ownOf(evaluation: Pick<Evaluation, "ownMetrics" | "value"> | undefined): ResultRow {
  const { ownMetrics = {}, value } = evaluation ?? {};
  const names = Object.keys(ownMetrics);
  if (names.length === 0) return {};
  return { ...Object.fromEntries(names.map((name) => [name, value!(name)])), ownMetrics };
}

/** The columns with those of the user's own metric, before what is said of an arm's end. */
function withOwn(columns: readonly ResultColumn[], rows: readonly ResultRow[]): ResultColumn[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(ownMetricsOf(row))))];
  const end = columns.findIndex(({ key }) => key === endColumns[0]!.key);
  const place = end < 0 ? columns.length : end;
  return [...columns.slice(0, place), ...names.map(ownColumn), ...columns.slice(place)];
}

/** The columns of whose group some row has a value. */
export function usedColumns(given: readonly ResultColumn[], rows: readonly ResultRow[]): ResultColumn[] {
  const columns = withOwn(given, rows);
  const filled = columns.filter(({ key, kind }) => kind === "text" || rows.some((row) => isNumber(row[key])));
  const groups = new Set(filled.map(groupOf));
  return columns.filter((column) => groups.has(groupOf(column)));
}

const groupOf = ({ group, key }: ResultColumn): string => group ?? key;

/**
 * The table in plain text: names on the left, numbers on the right.
 * @param notes sentences below it
 */
export function resultText(
  columns: readonly ResultColumn[],
  rows: readonly ResultRow[],
  notes: readonly string[] = [],
): string {
  const used = usedColumns(columns, rows).filter(({ head }) => head !== false);
  const lines = [
    used.map(({ head }) => String(head)),
    ...rows.map((row) => used.map((column) => plainCell(column, row))),
  ];
  const widths = used.map((_, c) => Math.max(...lines.map((line) => line[c]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, c) => (used[c]!.kind === "text" ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join("  ");
  return [...lines.map((cells) => line(cells).trimEnd()), ...notes].map((each) => `${each}\n`).join("");
}

/** The table of the page. The first column names its rows. */
export function resultHtml(columns: readonly ResultColumn[], rows: readonly JsonObject[]): Html {
  const used = usedColumns(columns, rows).filter(({ page }) => page !== false);
  return tableHtml(
    used.map(({ head, page, kind, from, wrap }) => ({
      head: page === undefined || page === false ? capitalized(head === false ? "" : head) : page,
      ...(wrap ? { kind: "wrap" as const } : kindOf(kind, from)),
    })),
    rows.map((row) => used.map((column) => html`${pageCell(column, row)}`)),
    "arms",
  );
}

const capitalized = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;

function plainCell({ key, kind }: ResultColumn, row: ResultRow): string {
  const value = row[key];
  if (kind === "text") return typeof value === "string" ? value : "–";
  if (!isNumber(value)) return "–";
  if (kind === "share") return value.toFixed(3);
  if (kind === "loss") return value.toFixed(4);
  if (kind === "number") return value.toFixed(2);
  return String(Math.round(value));
}

function pageCell({ key, kind }: ResultColumn, row: JsonObject): Content {
  if (kind === "text") return labelOf(row[key]) ?? "–";
  const value = numberOf(row[key]);
  if (kind === "share") return formatShare(value, 1);
  if (kind === "loss") return formatFixed(value, 4);
  if (kind === "number") return formatFixed(value, 2);
  if (kind === "bar") return barHtml(value);
  return kind === "seconds" ? formatDuration(value) : formatNumber(Math.round(value));
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function kindOf(kind: ResultColumn["kind"], from: true | undefined): Pick<Column, "kind"> {
  if (kind === "text" || kind === "bar") return {};
  if (from) return { kind: "n from" };
  return { kind: kind === "share" || kind === "loss" || kind === "number" ? "n to" : "n" };
}

function barHtml(share: number): Html {
  const width = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) * 98 : 0;
  return html`<svg class="bar" width="100" height="12" viewBox="0 0 100 12" aria-hidden="true">
    <rect x=".5" y="1.5" width="99" height="9" fill="none" stroke="currentColor" stroke-opacity=".3" />
    <rect x="1" y="2" width="${width.toFixed(1)}" height="8" fill="var(--arm-0)" />
  </svg>`;
}
