// npx tsx scripts/readme-examples.ts FOLDER [--commands]
//
// Writes the examples of README.md into the folder and runs those that state what they print, with whatever
// `tokensift` is installed there; with --commands also the lines that start with `npx tokensift`.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** A block of README.md whose first line names a file: `// loop.ts` or `# my-run.yaml`. */
export interface Example {
  readonly name: string;
  readonly content: string;
  /** What it prints: the `text` block behind it. */
  readonly output?: string;
}

/** The named blocks of a Markdown text, in order. */
export function readmeExamples(markdown: string): Example[] {
  const blocks = [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, language, content], i) => {
    const name = /^(?:\/\/|#) ([\w-]+\.(?:ts|yaml))\n/.exec(content!)?.[1];
    if (name === undefined) return [];
    const next = blocks[i + 1];
    const prints = language === "ts" && next?.[1] === "text";
    return [{ name, content: content!, ...(prints && { output: next[2]! }) }];
  });
}

/** The lines of its shell blocks that start with `start`. */
export function readmeCommands(markdown: string, start: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, lines]) => lines!.split("\n").filter((line) => line.startsWith(start)));
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
  const markdown = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const examples = readmeExamples(markdown);
  writeExamples(folder, examples);
  for (const { name, output } of examples) {
    if (output === undefined) continue;
    const printed = runTypeScript(folder, [name]);
    if (printed !== output) throw new Error(`README: ${name} prints\n${printed}instead of\n${output}`);
    process.stdout.write(`README: ${name} prints what it says\n`);
  }
  if (!commands) return;
  for (const command of readmeCommands(markdown, "npx tokensift")) {
    const { status, stderr } = spawnSync("bash", ["-c", command], { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`README: ${command} ends with ${status}\n${stderr}`);
    process.stdout.write(`README: ${command}\n`);
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const [folder = ".", flag] = process.argv.slice(2);
  main(folder, flag === "--commands");
}
