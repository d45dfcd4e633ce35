// npx tsx scripts/result-digits.ts FOLDER [--against full]
//
// Losses on the results of worked answers (b of <<a=b>>, and the number behind ####), and on all response tokens: of files
// that `tokensift score` has written for the same rows, named ARM-sSEED.jsonl, and start.jsonl. Prints a table with paired
// differences: 95 % intervals over seeds and rows.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seedBootstrap } from "../src/evaluation/index.ts";

const { values, positionals } = parseArgs({
  options: { against: { type: "string", default: "full" } },
  allowPositionals: true,
});
const [folder] = positionals;
if (folder === undefined) throw new Error("name the folder of scored rows");

interface Scored {
  readonly rowId: number;
  readonly tokens: readonly string[];
  readonly response: readonly number[];
  readonly nll: readonly number[];
}

/** Of a row the sum of losses over some tokens, and how many they are. */
type Losses = readonly { readonly sum: number; readonly count: number }[];

const parts = ["all tokens", "results"] as const;
type Part = (typeof parts)[number];

/** By arm, then seed; the model before training has the arm `start` and no seed. */
const arms = new Map<string, Map<string, Record<Part, Losses>>>();
for (const name of readdirSync(folder).sort()) {
  const [, arm, seed = ""] = /^(.+?)(?:-s(\d+))?\.jsonl$/.exec(name) ?? [];
  if (arm === undefined) continue;
  const rows = readFileSync(join(folder, name), "utf8").trim().split("\n");
  const losses = lossesOf(rows.map((row) => JSON.parse(row) as Scored));
  arms.set(arm, (arms.get(arm) ?? new Map<string, Record<Part, Losses>>()).set(seed, losses));
}
for (const part of parts) printTable(part);

function lossesOf(rows: readonly Scored[]): Record<Part, Losses> {
  const over = (marksOf: (row: Scored) => readonly boolean[]): Losses =>
    rows.map((row) => {
      const marks = marksOf(row);
      const own = row.nll.filter((_, t) => marks[t]);
      return { sum: own.reduce((a, b) => a + b, 0), count: own.length };
    });
  return { "all tokens": over(({ response }) => response.map((mark) => mark === 1)), results: over(resultTokens) };
}

/** Response tokens that lie within a result. */
function resultTokens({ tokens, response }: Scored): boolean[] {
  const pieces = tokens.map((token, t) => (response[t] === 1 ? token : ""));
  const text = pieces.join("");
  const spans = [...text.matchAll(/(?<=<<[^<>]*=)[^<>=]+(?=>>)|(?<=#### ?)[^\s<]+/g)].map(({ index, 0: found }) => ({
    from: index,
    to: index + found.length,
  }));
  let at = 0;
  return pieces.map((piece) => {
    const [from, to] = [at, (at += piece.length)];
    return piece.trim() !== "" && spans.some((span) => from < span.to && to > span.from);
  });
}

function printTable(part: Part): void {
  const control = arms.get(values.against);
  const tokens = [...arms.values()][0]
    ?.values()
    .next()
    .value?.[part].reduce((sum, { count }) => sum + count, 0);
  process.stdout.write(`\n${part} (${tokens}):\n\n| arm | loss | less ${values.against} |\n| --- | --- | --- |\n`);
  for (const [arm, seeds] of arms) {
    const means = [...seeds.values()].map((losses) => ratio(losses[part]));
    const mean = means.reduce((a, b) => a + b, 0) / means.length;
    const paired = [...seeds].flatMap(([seed, losses]) => {
      const other = control?.get(seed);
      return other === undefined || arm === values.against ? [] : [differences(losses[part], other[part])];
    });
    const difference = paired.length === 0 ? "" : intervalText(paired, part);
    process.stdout.write(`| ${arm} | ${mean.toFixed(3)} | ${difference} |\n`);
  }
}

function ratio(losses: Losses): number {
  return losses.reduce((sum, row) => sum + row.sum, 0) / losses.reduce((sum, row) => sum + row.count, 0);
}

/** Of each row the difference of its mean losses; a row without such tokens counts nothing. */
function differences(own: Losses, other: Losses): number[] {
  return own.map(({ sum, count }, row) => (count === 0 ? 0 : (sum - other[row]!.sum) / count));
}

function intervalText(paired: readonly (readonly number[])[], part: Part): string {
  const [first] = [...arms.values()][0]!.values();
  const { difference, low, high } = seedBootstrap(paired, { weights: first![part].map(({ count }) => count), seed: 1 });
  const signed = (value: number): string => `${value < 0 ? "" : "+"}${value.toFixed(3)}`;
  return `${signed(difference)} [${signed(low)}, ${signed(high)}]`;
}
