import type { CacheResult } from "./answers.ts";

/** A table in plain text: what each cache keeps of a prompt, and how the answers are. */
export function cacheTable(results: readonly CacheResult[]): string {
  const share = (value: number | undefined): string => value?.toFixed(3) ?? "–";
  const hasKey = results.some(({ keptKey }) => keptKey !== undefined);
  const rows = [
    [
      "model",
      "cache",
      "accuracy",
      "evicted",
      "kept",
      "bytes",
      "tokens/s",
      ...(hasKey ? ["key kept", "others kept"] : []),
    ],
    ...results.map((each) => [
      ...[each.model, each.cache, share(each.accuracy), share(each.evicted), share(each.kept)],
      ...[each.bytes, each.tokensPerSecond].map((value) => String(Math.round(value))),
      ...(hasKey ? [share(each.keptKey), share(each.keptOthers)] : []),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, c) => (c < 2 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join("  ");
  return `${rows.map((row) => line(row).trimEnd()).join("\n")}\n`;
}
