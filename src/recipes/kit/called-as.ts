import { existsSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { packageRoot } from "../../system/package-root.ts";

/**
 * The command that started this program, without its arguments, as one types it in the current folder:
 * `npx tokensift train sstoken`, `npx tsx trainers/sstoken.ts`, `node mine.js`.
 * @param program the file that runs
 */
export function calledAs(program: string = process.argv[1] ?? ""): string {
  const compiled = relative(join(packageRoot(), "dist/trainers"), program);
  if (compiled === "reproduce.js") return "npx tokensift reproduce";
  if (compiled === basename(program)) return `npx tokensift train ${compiled.replace(/\.js$/, "")}`;
  const file = shellWord(relative(process.cwd(), program).replaceAll("\\", "/"));
  return /\.[cm]?ts$/.test(program) ? `npx tsx ${file}` : `node ${file}`;
}

/** The whole command line, fit to be pasted into a shell. */
export function commandLine(argv: readonly string[]): string {
  return [calledAs(), ...argv.map(shellWord)].join(" ");
}

/** A configuration to name in advice: the recipe's own where one stands in a checkout. */
export function exampleConfig({ example }: { example: string }): string {
  return existsSync(example) ? example : "my-run.yaml";
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
