import { spawn } from "node:child_process";
import { atExit } from "../system/at-exit.ts";
import { UserError } from "../system/errors.ts";
import type { Interruption } from "../system/interruption.ts";

/** So long a command that was asked to end may go on, in milliseconds. */
const graceTime = 5000;

/**
 * Runs a command in a process group of its own. A request to stop is passed on to the group, which is killed where it goes
 * on after a grace time, and at once where this process ends: nobody is left to say what it writes then.
 * @returns its exit code, or the signal that ended it
 * @throws UserError where there is no such program
 */
export function perform(
  [program, ...args]: readonly string[],
  { asked }: Pick<Interruption, "asked">,
  { grace = graceTime }: { grace?: number } = {},
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
