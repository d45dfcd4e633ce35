/** What an arm came to. */
export interface ArmScores {
  readonly name: string;
  readonly steps: number;
  readonly responses: number;
  readonly seconds: number;
  readonly start?: Scores;
  readonly end?: Scores;
}

interface Scores {
  readonly exactMatch?: number;
  readonly passAt1?: number;
}

/** A table in plain text: the starting model, then every arm; shares of held-out problems. */
export function resultTable(arms: readonly ArmScores[]): string {
  const shown = (share: number | undefined): string => share?.toFixed(3) ?? "–";
  const scores = (of: Scores | undefined): string[] => [shown(of?.exactMatch), shown(of?.passAt1)];
  const rows = [
    ["arm", "greedy", "sampled", "iterations", "responses", "seconds"],
    ["(start)", ...scores(arms[0]?.start), "0", "0", ""],
    ...arms.map(({ name, end, steps, responses, seconds }) => [
      ...[name, ...scores(end)],
      ...[steps, responses, seconds.toFixed(0)].map(String),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join("  ");
  return `${rows.map((row) => line(row).trimEnd()).join("\n")}\n`;
}
