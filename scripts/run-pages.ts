// Runs examples and commands of the pages in the current folder, all in one process: standard input is JSON,
// `{ "examples": ["loop.ts"], "commands": [["explain", "sstoken"]] }`; the argument is the module that runs a command line.
// What comes out is a JSON list of `{ "name", "code", "printed" }`; a command's name is its words.
import { readFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { runCommandLine } from "../src/cli/commands.ts";

interface Wanted {
  readonly examples: readonly string[];
  readonly commands: readonly (readonly string[])[];
}

let printed = "";
for (const stream of [process.stdout, process.stderr])
  stream.write = (text: string | Uint8Array) => {
    printed += String(text);
    return true;
  };

const results: { name: string; code: number; printed: string }[] = [];
async function perform(name: string, work: () => Promise<number>): Promise<void> {
  printed = "";
  const code = await work().catch((error: unknown) => {
    printed += String((error as Error).stack);
    return 1;
  });
  results.push({ name, code, printed });
}

const { examples, commands } = JSON.parse(readFileSync(0, "utf8")) as Wanted;
for (const example of examples)
  await perform(example, async () => {
    await import(pathToFileURL(resolve(example)).href);
    return 0;
  });
const { runCommandLine: run } = (await import(pathToFileURL(resolve(process.argv[2]!)).href)) as {
  runCommandLine: typeof runCommandLine;
};
for (const words of commands) await perform(words.join(" "), () => run(words, process));
writeSync(1, JSON.stringify(results));
