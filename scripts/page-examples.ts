// npx tsx scripts/page-examples.ts FOLDER
//
// Writes the examples of README.md and docs/ into the folder and runs, with the `tokensift` that is installed there, those
// that state what they print, and the lines that start with `npx tokensift`, but for trainings.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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
    .flatMap(({ content }) => content.replaceAll(/\\\n */g, "").split("\n"))
    .map((line) => line.replace(/(^| )#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** The words of a command line; quotes hold words together. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
}

/** Whether a command of `tokensift` ends within seconds: all but trainings and comparisons. */
export function isCheap(command: string): boolean {
  return (
    !/^npx tokensift (train|trial|reproduce|evict|critical) /.test(command) || / --(dry-run|help|list)\b/.test(command)
  );
}

/** Writes the examples into a folder. */
export function writeExamples(folder: string, examples: readonly Example[]): void {
  for (const { name, content } of examples) writeFileSync(join(folder, name), content);
}

/** What an example or a command did. */
export interface PageResult {
  /** An example's file, or a command's words. */
  readonly name: string;
  readonly code: number;
  readonly printed: string;
}

/**
 * Runs examples and commands in a folder, in order, in one process.
 * @param commandLine the module that runs a command line
 */
export function runPages(
  folder: string,
  wanted: { examples: readonly string[]; commands: readonly (readonly string[])[] },
  commandLine: string,
): PageResult[] {
  const tsx = pathToFileURL(join(root, "node_modules/tsx/dist/loader.mjs")).href;
  const program = ["--import", tsx, join(root, "scripts/run-pages.ts"), commandLine];
  const { stdout, stderr } = spawnSync(process.execPath, program, {
    ...{ cwd: folder, input: JSON.stringify(wanted), encoding: "utf8", maxBuffer: 2 ** 26 },
  });
  if (!stdout.startsWith("[")) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout) as PageResult[];
}

function main(folder: string): void {
  const pages = readPages();
  const examples = examplesOf(pages);
  writeExamples(folder, examples);
  const lines = [...new Set(pages.flatMap(commandsOf))];
  const commands = lines.filter((line) => line.startsWith("npx tokensift ") && isCheap(line));
  const running = examples.filter(({ output }) => output !== undefined);
  const results = runPages(
    folder,
    { examples: running.map(({ name }) => name), commands: commands.map((line) => wordsOf(line).slice(2)) },
    join(folder, "node_modules/tokensift/dist/cli/commands.js"),
  );
  for (const { name, code, printed } of results) {
    const output = running.find((example) => example.name === name)?.output ?? printed;
    if (code !== 0 || printed !== output)
      throw new Error(`${name} ends with ${code} and prints\n${printed}\nnot\n${output}`);
    process.stdout.write(`${name}: as the pages say\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href)
  main(resolve(process.argv[2] ?? "."));
