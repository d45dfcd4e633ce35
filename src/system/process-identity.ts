import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Tells a process from every other one, on this machine and elsewhere. */
export interface ProcessIdentity {
  readonly host: string;
  readonly pid: number;
  /** Tells it from a later one with the same number; empty where the system does not say. */
  readonly birth: string;
}

export function thisProcess(): ProcessIdentity {
  return { host: hostname(), pid: process.pid, birth: birthOf(process.pid) };
}

/** Whether a process is known to have ended: never of one on another machine. */
export function hasEnded({ host, pid, birth }: ProcessIdentity): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
  }
  return birth !== birthOf(pid);
}

/** Boot and clock tick at which a process began, on Linux; a number alone is soon given to another process. */
export function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
  } catch {
    return "";
  }
}
