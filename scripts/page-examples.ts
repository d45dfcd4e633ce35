// npx tsx scripts/page-examples.ts FOLDER [--commands]
//
// Writes the examples of README.md and docs/ into the folder and runs those that state what they print, with whatever
// `tokensift` is installed there; with --commands also the lines that start with `npx tokensift`, but for trainings.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "..");

/** One page: its path from the root of the checkout, and its Markdown. */
export interface Page {
  readonly path: string;
  readonly markdown: string;
}

/** README.md and every page of docs/. */
export function readPages(): Page[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name.replaceAll("\\", "/")}`)
    .sort();
  return ["README.md", ...docs].map((path) => ({ path, markdown: readFileSync(join(root, path), "utf8") }));
}

/** A fenced block of a page. */
export interface Block {
  /** The page's path. */
  readonly page: string;
  readonly language: string;
  readonly content: string;
  /** The file that its first line names: `// loop.ts` or `# my-run.yaml`. */
  readonly name?: string;
  /** What a TypeScript block prints: the `text` block behind it. */
  readonly output?: string;
}

/** The fenced blocks of a page, in order. */
export function blocksOf({ path, markdown }: Page): Block[] {
  const blocks = [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
  return blocks.map(([, language, content], i) => {
    const name = /^(?:\/\/|#) ([\w-]+\.(?:ts|yaml))\n/.exec(content!)?.[1];
    const next = blocks[i + 1];
    const prints = name !== undefined && language === "ts" && next?.[1] === "text";
    return {
      ...{ page: path, language: language!, content: content! },
      ...(name !== undefined && { name }),
      ...(prints && { output: next[2]! }),
    };
  });
}

/** A block that names its file. */
export type Example = Block & { readonly name: string };

/** The blocks of all pages that name a file. */
export function examplesOf(pages: readonly Page[]): Example[] {
  return pages.flatMap(blocksOf).flatMap((block) => (block.name === undefined ? [] : [{ ...block, name: block.name }]));
}

/** The lines of a page's shell blocks, without comments. */
export function commandsOf(page: Page): string[] {
  return blocksOf(page)
    .filter(({ language }) => language === "sh")
    .flatMap(({ content }) => content.split("\n"))
    .map((line) => line.replace(/(^| )#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** The words of a command line; quotes hold words together. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
}

/** Whether a command of `tokensift` ends within seconds: all but a training. */
export function isCheap(command: string): boolean {
  return !/^npx tokensift train /.test(command) || / (--dry-run|--help)\b/.test(command);
}

/** Writes the examples into a folder. */
export function writeExamples(folder: string, examples: readonly Example[]): void {
  for (const { name, content } of examples) writeFileSync(join(folder, name), content);
}

/**
 * Runs a TypeScript file in a folder.
 * @param args the file and what follows it, behind any flags of tsx
 * @returns what it prints, errors included
 */
export function runTypeScript(folder: string, args: readonly string[]): string {
  const tsx = createRequire(import.meta.url).resolve("tsx/cli");
  const { stdout, stderr } = spawnSync(process.execPath, [tsx, ...args], { cwd: folder, encoding: "utf8" });
  return stdout + stderr;
}

function main(folder: string, commands: boolean): void {
  const pages = readPages();
  const examples = examplesOf(pages);
  writeExamples(folder, examples);
  for (const { page, name, output } of examples) {
    if (output === undefined) continue;
    const printed = runTypeScript(folder, [name]);
    if (printed !== output) throw new Error(`${page}: ${name} prints\n${printed}instead of\n${output}`);
    process.stdout.write(`${page}: ${name} prints what it says\n`);
  }
  if (!commands) return;
  for (const command of new Set(pages.flatMap(commandsOf))) {
    if (!command.startsWith("npx tokensift ") || !isCheap(command)) continue;
    const { status, stderr } = spawnSync("bash", ["-c", command], { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`${command} ends with ${status}\n${stderr}`);
    process.stdout.write(`${command}\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const [folder = ".", flag] = process.argv.slice(2);
  main(folder, flag === "--commands");
}
