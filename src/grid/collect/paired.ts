import { formatDifference } from "../../report/format.ts";
import { type Comparison, fewestSeeds } from "./compare.ts";
import { markdownTable, markdownText } from "./tables.ts";

const none = "no difference shown";

/** What the columns mean; below every table of comparisons. */
export const explanation = [
  "Same seeds, same problems. The interval holds 95 % of the mean differences when seeds, and problems where the runs " +
    "recorded single ones, are drawn again (bootstrap), its seeds' part widened by Student's t for so few of them; p is " +
    "that of Student's t, after Holm's correction over the axis.",
  "Sign flip: p of the seeds' differences by themselves, exact, and in brackets the least that so many seeds can show. " +
    "McNemar: problems right under one of the two alone, all seeds together, as if they were independent.",
  `A verdict other than *${none}* needs an interval without 0, p of at most 0.05 and at least ${fewestSeeds} seeds. ` +
    '"Seeds needed": for 80 % power, were the difference as seen.',
];

const heads = [
  "cell",
  "against",
  "metric",
  "difference",
  "95 % interval",
  "p",
  "sign flip",
  "McNemar",
  "seeds",
  "seeds needed",
];

/** `paired.md`. */
export function pairedMarkdown(axes: readonly { axis: string; comparisons: readonly Comparison[] }[]): string {
  const parts = axes.map(({ axis, comparisons }) => {
    const rows = comparisons.map((each) => [...comparisonTexts(each), each.verdict]);
    const table = rows.length === 0 ? "Nothing to compare.\n" : markdownTable([...heads, "verdict"], rows);
    return `\n## ${markdownText(axis)}\n\n${table}`;
  });
  return `# Paired differences\n\n${explanation.join("\n\n")}\n${parts.join("")}`;
}

/** A comparison as the texts of a table's row, without its verdict. */
export function comparisonTexts(each: Comparison): string[] {
  const { arm, against, metric, interval, corrected, signFlip, mcNemar, seeds, needed } = each;
  return [
    ...[arm, against, metric, signed(interval.difference)],
    `${signed(interval.low)} to ${signed(interval.high)}`,
    probability(corrected),
    `${probability(signFlip.p)} (${probability(signFlip.least)})`,
    mcNemar === undefined ? "–" : `${mcNemar.onlyFirst} : ${mcNemar.onlySecond}, p ${probability(mcNemar.p)}`,
    String(seeds),
    needed === undefined || !Number.isFinite(needed) ? "–" : String(needed),
  ];
}

export const comparisonHeads: readonly string[] = heads;

/** A difference with its sign, and as many places as one of that size has. */
export function signed(value: number): string {
  return formatDifference(value, Math.abs(value) >= 10 ? 2 : 4);
}

export function probability(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}
