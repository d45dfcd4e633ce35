import { createHash, randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { remove, rename } from "../../system/files-in-use.ts";
import { birthOf, hasEnded, type ProcessIdentity, thisProcess } from "../../system/process-identity.ts";

/** What a folder beside another one is: that which is to take its place, or that which had it. */
type Role = "new" | "old";

/**
 * A fresh hidden name beside a folder, on the same disk, so that renaming is one step. It says which process made it:
 * `.FOLDER-HOST-PID-BIRTH-RANDOM.new`, with hashes of the host's name and of the time at which the process began.
 */
export function sibling(folder: string, role: Role, { host, pid, birth }: ProcessIdentity = thisProcess()): string {
  const name = [basename(folder), short(host), pid, short(birth), randomUUID().slice(0, 8)].join("-");
  return join(dirname(folder), `.${name}.${role}`);
}

/**
 * Deletes what killed processes left beside a folder. Where one was killed between the two renamings, the folder that was
 * there gets its name back. Those of running processes, and of other machines, stay.
 */
export function clearLeftovers(folder: string): void {
  for (const { path, role } of leftovers(folder)) {
    if (role === "old" && !existsSync(folder)) rename(path, folder);
    else remove(path);
  }
}

function leftovers(folder: string): { path: string; role: Role }[] {
  const prefix = `.${basename(folder)}-`;
  const left = entriesOf(dirname(folder)).filter((name) => name.startsWith(prefix));
  return left.flatMap((name) => {
    const owner = /^([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}\.(new|old)$/.exec(name.slice(prefix.length));
    if (owner === null || owner[1] !== short(hostname())) return [];
    const pid = Number(owner[2]);
    const birth = birthOf(pid);
    const isRunning = owner[3] === short(birth) && !hasEnded({ host: hostname(), pid, birth });
    return isRunning ? [] : [{ path: join(dirname(folder), name), role: owner[4] as Role }];
  });
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // not there, or it is said when it is written to
  }
}

function short(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
