import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { parseHTML } from "linkedom";

/** The files of a run folder, by name, each named by its content without times. */
export type FolderContent = ReadonlyMap<string, string>;

/** What of the content is time, by the name of the file, and how it is left out. Everything else is compared to the byte. */
export const withoutTimes: Readonly<Record<string, (text: string) => string>> = {
  "timing.jsonl": (text) => text.replaceAll(/^\{("step":\d+),.*\}$/gm, "$1"),
  "summary.json": withoutTimedKeys,
  "results.json": withoutTimedKeys,
  "table.txt": withoutTimedColumns,
  "report.html": pageWithoutTimes,
  "README.md": withoutMode,
};

/** Reads a run folder. */
export function contentOf(folder: string): FolderContent {
  const names = (readdirSync(folder, { recursive: true }) as string[]).map((name) => name.replaceAll("\\", "/"));
  const files = names.filter((name) => !statSync(join(folder, name)).isDirectory()).sort();
  return new Map(files.map((name) => [name, digestOf(name, readFileSync(join(folder, name)))]));
}

/** A server's answers stand in the order in which they came. */
const answers = /(?:^|\/)server\/answers\/[^/]+\.jsonl$/;

function digestOf(path: string, content: Buffer): string {
  const text = (): string => content.toString("utf8");
  const plain = answers.test(path) ? text().split("\n").sort().join("\n") : withoutTimes[basename(path)]?.(text());
  return createHash("sha256")
    .update(plain ?? content)
    .digest("hex");
}

/** What may differ between a run that was disturbed and one that was not. */
export interface Freedom {
  /** It was asked to stop, and saved checkpoints that the other has not: those of steps that both have are compared. */
  readonly savedBetween?: boolean;
  /** Its terminal was lost: there is a file that says so. */
  readonly lostTerminal?: boolean;
}

/** The files that differ, each with how. */
export function differences(expected: FolderContent, actual: FolderContent, freedom: Freedom = {}): string[] {
  const newest = newestSteps(expected);
  const matters = (name: string, other: FolderContent): boolean => {
    if (basename(name) === "terminal.log") return !freedom.lostTerminal;
    const [, folder, step] = checkpointFile.exec(name) ?? [];
    if (!freedom.savedBetween || folder === undefined || newest.get(folder) === Number(step)) return true;
    return [...other.keys()].some((each) => each.startsWith(`${folder}step-${step}/`));
  };
  const missing = [...expected.keys()].filter((name) => !actual.has(name) && matters(name, actual));
  const added = [...actual.keys()].filter((name) => !expected.has(name) && matters(name, expected));
  const changed = [...expected].filter(([name, content]) => actual.has(name) && actual.get(name) !== content);
  return [
    ...missing.map((name) => `${name} is missing`),
    ...added.map((name) => `${name} is too many`),
    ...changed.map(([name]) => `${name} differs`),
  ];
}

const checkpointFile = /^(.*\bcheckpoints\/)step-(\d+)\//;

function newestSteps(content: FolderContent): Map<string, number> {
  const newest = new Map<string, number>();
  for (const name of content.keys()) {
    const [, folder, step] = checkpointFile.exec(name) ?? [];
    if (folder !== undefined) newest.set(folder, Math.max(newest.get(folder) ?? 0, Number(step)));
  }
  return newest;
}

function withoutTimedKeys(text: string): string {
  const timed = ["seconds", "tokensPerSecond"];
  return JSON.stringify(JSON.parse(text, (key, value: unknown) => (timed.includes(key) ? undefined : value)));
}

/** Numbers stand on the right: a column ends where its head does. */
function withoutTimedColumns(text: string): string {
  const [head = "", ...rows] = text.split("\n");
  const columns = [...head.matchAll(/ +(?:seconds|tokens\/s)/g)].map(({ index, 0: { length } }) => [
    index,
    index + length,
  ]);
  const without = (line: string): string =>
    columns.reduceRight((kept, [from, to]) => kept.slice(0, from) + kept.slice(to), line);
  return [head, ...rows].map(without).join("\n");
}

const timedFact = /^(?:Time\b.*|Memory, at most|Ended)$/;
const timedFigure = /^(?:Tokens per second|Memory) against /;

function pageWithoutTimes(markup: string): string {
  const { document } = parseHTML(withoutMode(markup));
  for (const fact of document.querySelectorAll("dl div"))
    if (timedFact.test(fact.querySelector("dt")?.textContent.trim() ?? "")) fact.remove();
  for (const figure of document.querySelectorAll("figure"))
    if (timedFigure.test(figure.querySelector("svg")?.getAttribute("aria-label") ?? "")) figure.remove();
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th")].map(({ textContent }) => textContent);
    const timed = heads.flatMap((head, c) => (head === "Time" || head === "Tokens/s" ? [c] : []));
    for (const row of table.querySelectorAll("tr")) for (const c of timed.toReversed()) row.children[c]?.remove();
  }
  return document.toString();
}

/** A card names the command that ended the run, which was another one where it was continued. */
function withoutMode(text: string): string {
  return text.replaceAll(/ --(?:resume|overwrite)\b/g, "");
}
