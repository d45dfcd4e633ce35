import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { atExit } from "../system/at-exit.ts";
import { UserError } from "../system/errors.ts";
import type { Interruption } from "../system/interruption.ts";
import { hasEnded, identityOf, type ProcessIdentity } from "../system/process-identity.ts";
import { writeFile } from "./write-file.ts";

/** So long a command that was asked to end may go on, in milliseconds. */
const graceTime = 5000;

/**
 * Runs a command in a process group of its own. A request to stop is passed on to the group, which is killed where it goes
 * on after a grace time, and at once where this process ends: nobody is left to say what it writes then.
 * @param options.running a file that says which process it is as long as it runs
 * @returns its exit code, or the signal that ended it
 * @throws UserError where there is no such program
 */
export function perform(
  [program, ...args]: readonly string[],
  { asked }: Pick<Interruption, "asked">,
  { grace = graceTime, running }: { grace?: number; running?: string } = {},
): Promise<number | string> {
  return new Promise((settle, fail) => {
    const grouped = process.platform !== "win32"; // where it would open a window
    const child = spawn(program!, args, { stdio: ["ignore", "inherit", "inherit"], detached: grouped });
    const signal = (name: NodeJS.Signals): void => {
      if (child.pid === undefined) return;
      try {
        if (grouped) process.kill(-child.pid, name);
        else child.kill(name);
      } catch {
        // it has just ended
      }
    };
    if (running !== undefined && child.pid !== undefined)
      writeFile(running, `${JSON.stringify(identityOf(child.pid))}\n`);
    let askedAt: number | undefined;
    const watch = setInterval(() => {
      if (!asked()) return;
      if (askedAt === undefined) signal("SIGTERM");
      askedAt ??= performance.now();
      if (performance.now() - askedAt > grace) signal("SIGKILL");
    }, 200);
    const callOff = atExit(() => signal("SIGKILL"));
    const end = (): void => {
      clearInterval(watch);
      callOff();
      if (running !== undefined) rmSync(running, { force: true });
    };
    child.on("error", (cause: NodeJS.ErrnoException) => {
      end();
      fail(new UserError("missing-file", `there is no program ${program} (${cause.code})`, { where: "before", cause }));
    });
    child.on("close", (code, ended) => {
      if (askedAt !== undefined) signal("SIGKILL"); // those of its group that it has left behind
      end();
      settle(code ?? ended ?? 1);
    });
  });
}

/**
 * Kills the command of a process that was killed itself, which would go on writing what is made anew.
 * @param running the file of `perform`
 */
export async function endLeftBehind(running: string): Promise<void> {
  const identity = identityIn(running);
  if (identity?.host !== hostname()) return; // of another machine nothing is known
  for (let look = 0; look < 250 && !hasEnded(identity); look++) {
    try {
      process.kill(-identity.pid, "SIGKILL");
    } catch {
      // it has just ended, or is another user's
    }
    await sleep(20);
  }
  rmSync(running, { force: true });
}

function identityIn(path: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as ProcessIdentity;
    return Number.isSafeInteger(value.pid) && value.pid > 1 ? value : undefined;
  } catch {
    return undefined;
  }
}
