import { formatDuration, formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import type { ArmOutcomes, AxisOutcomes } from "./read-cells.ts";

/** Mean and sample standard deviation over seeds. */
export interface Spread {
  readonly n: number;
  readonly mean: number;
  /** NaN of one seed. */
  readonly sd: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const sd = n < 2 ? NaN : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const alike = values.every((value) => value === values[0]); // whose mean rounds otherwise than they
  return alike && n > 0 ? { n, mean: values[0]!, sd: n < 2 ? NaN : 0 } : { n, mean, sd };
}

/** A metric of a row over its seeds. */
export function metricOf({ outcomes }: ArmOutcomes, metric: string): Spread {
  return spreadOf(outcomes.flatMap(({ measures }) => measures.get(metric)?.value ?? []));
}

/** `0.0974 ± 0.0031`; a dash where there is none; with its own n where that is not one of each run. */
export function spreadText({ n, mean, sd }: Spread, runs = n): string {
  if (n === 0) return "–";
  const text = Number.isNaN(sd) ? numberText(mean) : `${numberText(mean)} ± ${numberText(sd, mean)}`;
  return n === runs ? text : `${text} (n = ${n})`;
}

/** A number with as many places as one of that size has. */
export function numberText(value: number, like = value): string {
  const size = Math.abs(like);
  return formatFixed(value, size >= 1000 ? 0 : size >= 10 ? 2 : 4);
}

const costHeads = ["trained tokens", "kept", "time", "memory"];

function costTexts({ outcomes }: ArmOutcomes): string[] {
  const of = (read: (outcome: (typeof outcomes)[number]) => number): number =>
    spreadOf(outcomes.map(read).filter(Number.isFinite)).mean;
  const memory = Math.round(of(({ cost }) => cost.memoryMB));
  return [
    formatNumber(Math.round(of(({ cost }) => cost.trainedTokens))),
    formatShare(of(({ cost }) => cost.keptShare)),
    formatDuration(of(({ cost }) => cost.seconds)),
    Number.isFinite(memory) ? `${formatNumber(memory)} MB` : "–",
  ];
}

/** A table of one axis: heads, and a row of texts for each of its rows. */
export function axisTable({ arms }: AxisOutcomes, metrics: readonly string[]): { heads: string[]; rows: string[][] } {
  const heads = ["cell", "n", ...metrics, ...costHeads];
  const rows = arms.map((row) => [
    row.arm.name,
    String(row.outcomes.length),
    ...metrics.map((metric) => spreadText(metricOf(row, metric), row.outcomes.length)),
    ...costTexts(row),
  ]);
  return { heads, rows };
}

/** A table in Markdown: names on the left, numbers on the right. */
export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(markdownText).join(" | ")} |`;
  const rule = `|${heads.map((_, i) => (i === 0 ? "---" : "--:")).join("|")}|`;
  return [line(heads), rule, ...rows.map(line)].map((text) => `${text}\n`).join("");
}

/** Text that stands for itself in a cell of Markdown. */
export function markdownText(text: string): string {
  return text.replace(/[\\`*_[\]|]|<(?=[A-Za-z!/?])/g, "\\$&").replace(/\s+/g, " ");
}

/** `table.md`. */
export function markdownOf(
  axes: readonly AxisOutcomes[],
  metrics: readonly string[],
  { title, notes = [] }: { title: string; notes?: readonly string[] },
): string {
  const lead = "Mean ± sample standard deviation over n seeds; time and memory are means.";
  const parts = axes.map((axis) => {
    const { heads, rows } = axisTable(axis, metrics);
    const missing = axis.arms.reduce((sum, row) => sum + row.missing, 0);
    const note = missing === 0 ? "" : `\n${missing === 1 ? "1 cell is" : `${missing} cells are`} not complete.\n`;
    return `\n## ${markdownText(axis.axis)}\n\n${markdownTable(heads, rows)}${note}`;
  });
  const list = notes.map((note) => `- ${markdownText(note)}\n`).join("");
  return `# ${markdownText(title)}\n\n${lead}\n${parts.join("")}${list === "" ? "" : `\n## Notes\n\n${list}`}`;
}

/** `table.csv`: a line for each row of each axis, twelve digits. */
export function csvOf(axes: readonly AxisOutcomes[], metrics: readonly string[]): string {
  const heads = [
    "axis",
    "cell",
    "n",
    ...metrics.flatMap((metric) => [`${metric} mean`, `${metric} sd`, `${metric} n`]),
    "trainedTokens",
  ];
  const rows = axes.flatMap(({ axis, arms }) =>
    arms.map((row) => {
      const spreads = metrics.map((metric) => metricOf(row, metric));
      const trained = spreadOf(row.outcomes.map(({ cost }) => cost.trainedTokens));
      const numbers = [...spreads.flatMap(({ mean, sd, n }) => [mean, sd, n]), trained.mean];
      return [
        axis,
        row.arm.name,
        String(row.outcomes.length),
        ...numbers.map((x) => (Number.isFinite(x) ? String(Number(x.toPrecision(12))) : "")),
      ];
    }),
  );
  return [heads, ...rows].map((cells) => `${cells.map(csvCell).join(",")}\n`).join("");
}

function csvCell(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** `table.tex`: a tabular for each axis. */
export function texOf(axes: readonly AxisOutcomes[], metrics: readonly string[]): string {
  return axes
    .map((axis) => {
      const { heads, rows } = axisTable(axis, metrics);
      const line = (cells: readonly string[]): string => `${cells.map(texText).join(" & ")} \\\\`;
      const columns = `l${"r".repeat(heads.length - 1)}`;
      const body = [`% ${axis.axis}`, `\\begin{tabular}{${columns}}`, "\\hline", line(heads), "\\hline"];
      return [...body, ...rows.map(line), "\\hline", "\\end{tabular}", ""].join("\n");
    })
    .join("\n");
}

const texSigns: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "±": "$\\pm$",
  "−": "$-$",
  "–": "--",
};

function texText(text: string): string {
  return text.replace(/[\\^~±−–&%$#_{}]/g, (sign) => texSigns[sign] ?? `\\${sign}`);
}
