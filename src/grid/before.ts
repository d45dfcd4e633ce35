import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../system/errors.ts";
import type { Interruption } from "../system/interruption.ts";
import { makeFolder } from "../system/make-folder.ts";
import { packageRoot } from "../system/package-root.ts";
import { lockRun, type RunLock } from "../training/run-lock.ts";
import { beforeFolder } from "./cells.ts";
import type { GridConfig } from "./grid-schema.ts";

/** The command line of this package, compiled where this file is. */
function tokensift(): string[] {
  const ending = extname(import.meta.filename);
  const main = join(packageRoot(), ending === ".ts" ? "src/cli" : "dist/cli", `main${ending}`);
  return [process.execPath, ...process.execArgv, main];
}

/**
 * Makes the files that cells read, those that are not there: one process at a time, whoever comes first.
 * @throws UserError for a command that fails, or does not leave its file
 */
export async function makeBefore(
  { before, output }: Pick<GridConfig, "before" | "output">,
  interruption: Pick<Interruption, "check" | "asked">,
): Promise<void> {
  const folder = beforeFolder(output);
  const missing = () => before.filter(({ makes }) => !existsSync(join(folder, makes)));
  if (missing().length === 0) return;
  makeFolder(folder);
  const lock = await lockWhenFree(join(folder, ".lock"), interruption);
  try {
    for (const { run, makes } of missing()) {
      const words = run.map((word) => word.replaceAll("{before}", folder));
      const code = await perform(words[0] === "tokensift" ? [...tokensift(), ...words.slice(1)] : words, interruption);
      await interruption.check();
      if (code === 0 && existsSync(join(folder, makes))) continue;
      throw new UserError(
        "command-failed",
        code === 0 ? `the command ended without having made ${makes}` : `the command ended with ${code}`,
        { where: `before: ${words.join(" ")}`, fix: "Run it by itself, and mend it in the grid file." },
      );
    }
  } finally {
    lock.release();
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

/** The exit code of a command, or the signal that ended it. */
function perform(
  [program, ...args]: readonly string[],
  { asked }: Pick<Interruption, "asked">,
): Promise<number | string> {
  return new Promise((settle, fail) => {
    const child = spawn(program!, args, { stdio: ["ignore", "inherit", "inherit"] });
    const watch = setInterval(() => asked() && child.kill("SIGTERM"), 200);
    child.on("error", (cause: NodeJS.ErrnoException) => {
      clearInterval(watch);
      fail(new UserError("missing-file", `there is no program ${program} (${cause.code})`, { where: "before", cause }));
    });
    child.on("close", (code, signal) => {
      clearInterval(watch);
      settle(code ?? signal ?? 1);
    });
  });
}
