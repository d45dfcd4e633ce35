import { jest } from "@jest/globals";
import { join, resolve } from "node:path";
import { loops } from "../../trainers?loops";
import type { Recipe, RunConfig } from "../../src/recipes/kit/recipe.ts";
import { runFromCommandLine } from "../../src/recipes/kit/run-from-command-line.ts";
import { recipes } from "../../src/recipes/list.ts";
import type { Ended, Started } from "./small-run.ts";

const root = resolve(import.meta.dirname, "../..");

/** What a trainer does for a command line, in this process: its start is most of what a short run costs. */
export async function runHere(name: string, config: string, ...flags: string[]): Promise<Ended> {
  const { loop } = await loops[name]!();
  const recipe = (await recipes.find((each) => each.name === name)!.load()) as unknown as Recipe<RunConfig, unknown>;
  const { argv, exitCode } = process;
  const [stdout, stderr] = [written(process.stdout), written(process.stderr)];
  process.argv = [argv[0]!, join(root, `trainers/${name}.ts`), "--config", config, ...flags];
  process.exitCode = undefined;
  try {
    await runFromCommandLine(recipe, loop);
    return { code: Number(process.exitCode ?? 0), signal: null, stdout: stdout.end(), stderr: stderr.end() };
  } finally {
    process.argv = argv;
    process.exitCode = exitCode;
    for (const stream of [stdout, stderr]) stream.end();
  }
}

/** The same, begun only: it can be stopped as Ctrl-C would. */
export function startHere(name: string, config: string, ...flags: string[]): Started {
  let over = false;
  const ended = runHere(name, config, ...flags).finally(() => (over = true));
  return { ended, hasEnded: () => over, stop: (signal) => void process.emit(signal, signal) };
}

/** Keeps what is written, until the end. */
function written(stream: NodeJS.WriteStream): { end: () => string } {
  let text = "";
  const spy = jest.spyOn(stream, "write").mockImplementation((part) => {
    text += String(part);
    return true;
  });
  return {
    end() {
      spy.mockRestore();
      return text;
    },
  };
}
