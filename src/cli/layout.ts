import { displayWidth } from "../system/visible-text.ts";

/** Text in lines of at most `width` columns, each after the first one indented. Words are never cut. */
export function wrapped(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].join(`\n${indent}`);
}

/** Rows of cells in columns two spaces apart; cells of the columns named in `right` stand at its end. */
export function aligned(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const gap = " ".repeat(widths[column]! - displayWidth(cell));
        return right.has(column) ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** "label   text", the text wrapped and indented below itself. */
export function labelled(entries: readonly (readonly [label: string, text: string])[], width = 100): string {
  const left = Math.max(...entries.map(([label]) => label.length)) + 2;
  const space = " ".repeat(left);
  return entries.map(([label, text]) => `${label.padEnd(left)}${wrapped(text, width - left, space)}\n`).join("");
}
