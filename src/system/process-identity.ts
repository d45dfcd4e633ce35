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
  return identityOf(process.pid);
}

/** Of a process of this machine. */
export function identityOf(pid: number): ProcessIdentity {
  return { host: hostname(), pid, birth: birthOf(pid) };
}

/** What is known of a process: `dying` does nothing more by itself and ends as soon as the system has cleared up. */
export type ProcessLife = "running" | "dying" | "ended";

/** Whether a process is known to have ended: never of one on another machine. */
export function hasEnded(identity: ProcessIdentity): boolean {
  return lifeOf(identity) === "ended";
}

/** How a process is; one on another machine counts as running. */
export function lifeOf({ host, pid, birth }: ProcessIdentity): ProcessLife {
  if (host !== hostname()) return "running";
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "ended";
  }
  if (birth !== birthOf(pid)) return "ended";
  return lifeInStat(statOf(pid), pendingOf(pid));
}

const [exitingFlag, killBit] = [0x4, 1n << 8n]; // PF_EXITING; SIGKILL is 9, counted from 1

/**
 * What Linux says of a process (proc_pid_stat(5)). One whose parent has not asked how it ended (state Z) is there by
 * number alone, once none of its threads is left.
 * @param fields those behind the name, from the state on; empty where the system does not say
 * @param pending signals that it has not yet seen, as a set of bits
 */
export function lifeInStat(fields: readonly string[], pending = 0n): ProcessLife {
  const [state, threads] = [fields[0], Number(fields[17])];
  if (state === "X" || state === "x") return "ended";
  if (state === "Z") return threads > 1 ? "dying" : "ended";
  const isExiting = (Number(fields[6] ?? 0) & exitingFlag) !== 0 || (pending & killBit) !== 0n;
  return isExiting ? "dying" : "running";
}

/** Boot and clock tick at which a process began, on Linux; a number alone is soon given to another process. */
export function birthOf(pid: number): string {
  const began = statOf(pid)[19];
  if (began === undefined) return "";
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${began}`;
  } catch {
    return "";
  }
}

function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

function pendingOf(pid: number): bigint {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const sets = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm)];
    return sets.reduce((all, [, bits]) => all | BigInt(`0x${bits}`), 0n);
  } catch {
    return 0n;
  }
}
