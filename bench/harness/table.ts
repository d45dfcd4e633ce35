import { displayWidth } from "../../src/system/visible-text.ts";
import { formatNumber, formatShare } from "../../src/report/format.ts";

/** How a column's numbers read. */
export type Format = "text" | "count" | "number" | "share" | "milliseconds" | "megabytes";

export type Cell = string | number | null;

/** Figures with the names of their columns; a printed table and, as JSON, data. */
export interface Table {
  title: string;
  columns: readonly { name: string; format: Format }[];
  rows: readonly (readonly Cell[])[];
}

/** A Markdown table whose columns line up. Columns without a value are left out. */
export function tableText(table: Table): string {
  const { title, columns, rows } = withoutEmptyColumns(table);
  const cells = [
    columns.map(({ name }) => name),
    ...rows.map((row) => row.map((cell, i) => cellText(cell, columns[i]!.format))),
  ];
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => displayWidth(row[i]!))));
  const isText = (i: number): boolean => columns[i]!.format === "text";
  const line = (row: string[]): string => {
    const padded = row.map((cell, i) => {
      const gap = " ".repeat(widths[i]! - displayWidth(cell));
      return isText(i) ? cell + gap : gap + cell;
    });
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width, i) => (isText(i) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [`${title}\n`, line(cells[0]!), line(rule), ...cells.slice(1).map(line)].join("\n");
}

function withoutEmptyColumns({ title, columns, rows }: Table): Table {
  const used = columns.map((_, i) => rows.some((row) => row[i] !== null));
  const kept = <T>(cells: readonly T[]): T[] => cells.filter((_, i) => used[i]);
  return { title, columns: kept(columns), rows: rows.map(kept) };
}

function cellText(cell: Cell, format: Format): string {
  if (typeof cell === "string") return cell;
  if (format === "share") return formatShare(cell);
  if (cell === null) return formatNumber(cell);
  if (format === "count") return formatNumber(Math.round(cell));
  if (format === "milliseconds") return formatNumber(1000 * cell, 3);
  if (format === "megabytes") return formatNumber(Math.round(cell / 2 ** 20));
  return formatNumber(cell, 3);
}
