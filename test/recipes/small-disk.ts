import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk of a chosen size (Linux, as root). */
export interface SmallDisk {
  readonly path: string;
  /** Kilobytes of it that are taken. */
  used(): number;
  resize(kilobytes: number): void;
  unmount(): void;
}

/** Mounts an empty disk at the folder. */
export function mountDisk(path: string, kilobytes: number): SmallDisk {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", path], { stdio: "pipe" });
  return {
    path,
    used() {
      const { bsize, blocks, bfree } = statfsSync(path);
      return (bsize * (blocks - bfree)) / 1024;
    },
    resize: (size) => void execFileSync("mount", ["-o", `remount,size=${size}k`, path]),
    unmount: () => void execFileSync("umount", ["--lazy", path]), // a process of a failed test may still hold it
  };
}

/** Whether this process may mount disks. */
export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "tokensift-disk-"));
  try {
    mountDisk(folder, 64).unmount();
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}

/** What a run says, last, where the disk is full. */
export const diskFull = /(^|\n)[^\n]*cannot be written: the disk is full \(ENOSPC\)\n {2}Free some space, [^\n]*\n$/;

/** Files that a run must not leave. */
export function leftovers(files: readonly string[]): string[] {
  return files.filter((file) => /(^|\/)\.|\.tmp$|\.partial$/.test(file));
}
