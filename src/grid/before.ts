import { existsSync, readFileSync, rmSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../system/errors.ts";
import type { Interruption } from "../system/interruption.ts";
import { makeFolder } from "../system/make-folder.ts";
import { packageRoot } from "../system/package-root.ts";
import { lockRun, type RunLock } from "../training/run-lock.ts";
import { beforeFolder } from "./cells.ts";
import type { GridConfig } from "./grid-schema.ts";
import { endLeftBehind, perform } from "./perform.ts";
import { writeFile, writingInGrid } from "./write-file.ts";

type Command = GridConfig["before"][number];

/** The command line of this package, compiled where this file is. */
function tokensift(): string[] {
  const ending = extname(import.meta.filename);
  const main = join(packageRoot(), ending === ".ts" ? "src/cli" : "dist/cli", `main${ending}`);
  return [process.execPath, ...process.execArgv, main];
}

/**
 * Makes the files that cells read, those that are not there: one process at a time, whoever comes first. A file is there
 * once its command has ended with 0 and left a mark with its words; what another ending leaves is removed.
 * @throws UserError for a command that fails, or does not leave its file
 */
export async function makeBefore(
  { before, output }: Pick<GridConfig, "before" | "output">,
  interruption: Pick<Interruption, "check" | "asked">,
): Promise<void> {
  const folder = beforeFolder(output);
  const missing = () => before.filter((command) => !isMade(folder, command));
  if (missing().length === 0) return;
  writingInGrid(folder, () => makeFolder(folder));
  const lock = await lockWhenFree(join(folder, ".lock"), interruption);
  try {
    for (const command of missing()) await make(folder, command, interruption);
  } finally {
    lock.release();
  }
}

async function make(folder: string, command: Command, interruption: Pick<Interruption, "check" | "asked">) {
  const { run, makes } = command;
  const path = join(folder, makes);
  const remove = (): void =>
    [markOf(folder, command), path].forEach((each) => rmSync(each, { recursive: true, force: true }));
  const words = run.map((word) => word.replaceAll("{before}", folder));
  const where = `before: ${words.join(" ")}`;
  await interruption.check();
  const running = join(folder, `.${makes}.running`);
  await endLeftBehind(running);
  remove(); // a command that was killed has left half a file, one that the grid has no more another file
  try {
    const code = await perform(words[0] === "tokensift" ? [...tokensift(), ...words.slice(1)] : words, interruption, {
      running,
    });
    if (code !== 0) await interruption.check();
    if (code !== 0 || !existsSync(path))
      throw new UserError(
        "command-failed",
        code === 0 ? `the command ended without having made ${makes}` : `the command ended with ${code}`,
        { where, fix: "Run it by itself, and mend it in the grid file." },
      );
    writeFile(markOf(folder, command), wordsOf(command));
  } catch (error) {
    remove();
    throw error;
  }
}

const markOf = (folder: string, { makes }: Command): string => join(folder, `.${makes}.done`);
const wordsOf = ({ run }: Command): string => `${JSON.stringify(run)}\n`;

/** Whether a command has made its file: this command, and to its end. */
function isMade(folder: string, command: Command): boolean {
  try {
    return (
      existsSync(join(folder, command.makes)) && readFileSync(markOf(folder, command), "utf8") === wordsOf(command)
    );
  } catch {
    return false;
  }
}

async function lockWhenFree(path: string, interruption: Pick<Interruption, "check">): Promise<RunLock> {
  for (;;) {
    await interruption.check();
    try {
      return lockRun(path);
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "run-in-use") throw error;
      await sleep(500);
    }
  }
}
