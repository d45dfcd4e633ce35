import { configIn } from "../cell-state.ts";
import type { Cell } from "../cells.ts";
import { dataNotes } from "../data-files.ts";
import type { ArmOutcomes, AxisOutcomes, ChangedCell } from "./read-cells.ts";

/** What one must know of the cells to read their tables: sentences. */
export function notesOf(
  { axes, changed }: { axes: readonly AxisOutcomes[]; changed: readonly ChangedCell[] },
  metrics: readonly string[],
): string[] {
  const rows = axes.flatMap(({ arms }) => arms);
  const cells = [...new Set(rows.flatMap(({ outcomes }) => outcomes.map(({ cell }) => cell)))];
  return [
    ...changed.map(
      ({ cell, changes }) => `${cell.name} is left out: it was run with other settings (${changes.join("; ")}).`,
    ),
    ...metricNotes(rows, metrics),
    ...threadNotes(cells),
    ...dataNotes(cells),
  ];
}

/** Where a row has a metric, or its single problems, in some of its seeds alone. */
export function metricNotes(
  rows: readonly ArmOutcomes[],
  metrics: readonly string[],
  nameOf: (cell: Cell) => string = ({ name }) => name,
): string[] {
  const sentences = rows.flatMap(({ outcomes }) =>
    metrics.flatMap((metric) => {
      const having = outcomes.filter(({ measures }) => measures.has(metric));
      if (having.length === 0) return [];
      const without = outcomes.filter(({ measures }) => !measures.has(metric)).map(({ cell }) => nameOf(cell));
      const listed = having.filter(({ measures }) => measures.get(metric)!.problems !== undefined);
      const unlisted = listed.length === 0 ? [] : having.filter((each) => !listed.includes(each));
      return [
        ...(without.length === 0
          ? []
          : [`${metric} is missing, or no finite number, in ${without.join(", ")}: it is left out of its mean.`]),
        ...(unlisted.length === 0
          ? []
          : [`${metric} has no single problems in ${unlisted.map(({ cell }) => nameOf(cell)).join(", ")}.`]),
      ];
    }),
  );
  return [...new Set(sentences)];
}

/** Where cells have computed with other numbers of threads, which rounds otherwise. */
function threadNotes(cells: readonly Cell[]): string[] {
  const counts = new Map<unknown, string[]>();
  for (const { folder, name } of cells) {
    const threads = configIn(folder)?.["threads"];
    counts.set(threads, [...(counts.get(threads) ?? []), name]);
  }
  if (counts.size < 2) return [];
  const groups = [...counts].toSorted(([, a], [, b]) => b.length - a.length);
  const [, ...fewer] = groups.map(([threads, names]) => `${String(threads ?? "no fixed number")}: ${names.join(", ")}`);
  const most = String(groups[0]![0] ?? "no fixed number");
  return [
    `Most cells have computed with ${most} threads, others with another number, which rounds otherwise (${fewer.join("; ")}).`,
  ];
}
