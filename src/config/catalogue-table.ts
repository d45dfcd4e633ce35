import type { Catalogue, Entry } from "../contract/index.ts";

/** A further column of a catalogue's table: its head, and what it says of an entry. */
export type TableColumn<E> = readonly [head: string, cell: (entry: E) => string];

/**
 * A catalogue as a Markdown table: name, summary, further columns, paper.
 *
 * ```ts
 * catalogueTable(rules, [["needs", ({ create }) => create({}).needs.join(", ")]]);
 * ```
 */
export function catalogueTable<T, E extends Entry<T>>(
  { kind, entries }: Catalogue<T, E>,
  columns: readonly TableColumn<E>[] = [],
): string {
  const rows = [
    [kind, "what it does", ...columns.map(([head]) => head), "paper"],
    ...entries.map((entry) => [
      `\`${entry.name}\``,
      entry.summary,
      ...columns.map(([, cell]) => cell(entry)),
      entry.paper === undefined ? "" : `[${linkText(entry.paper)}](${entry.paper})`,
    ]),
  ];
  return markdownTable(rows);
}

/** Rows of as many cells each as a Markdown table, its columns aligned. The first row is the head. */
export function markdownTable(table: readonly (readonly string[])[]): string {
  const rows = table.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, c) => cell.padEnd(widths[c]!)).join(" | ")} |\n`;
  const [head, ...body] = rows;
  return [head!, widths.map((width) => "-".repeat(width)), ...body].map(line).join("");
}

/** `https://arxiv.org/abs/2510.18250` as `2510.18250`, any other link by its host. */
function linkText(link: string): string {
  const { hostname, pathname } = new URL(link);
  return hostname === "arxiv.org" ? pathname.split("/").at(-1)! : hostname;
}
