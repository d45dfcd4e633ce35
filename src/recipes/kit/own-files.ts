import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { OwnFile } from "../../config/own-files.ts";
import { digestOfBytes } from "../../system/file-digest.ts";
import { isRecord } from "../../system/is-record.ts";
import type { Identity } from "../../training/manifest.ts";
import type { RunFolder } from "../../training/run-folder.ts";

const name = "files.json";

/** What the files hold, by the keys that name them; one digest for all files of a key. */
export type FileDigests = Readonly<Record<string, { readonly file: string; readonly sha256: string }>>;

export function digestsOf(files: readonly OwnFile[]): FileDigests {
  const byKey = new Map<string, string[]>();
  for (const { key, path } of files.filter(({ path }) => existsSync(path)))
    // a grid's may not be made yet
    byKey.set(key, [...(byKey.get(key) ?? []), path]);
  return Object.fromEntries([...byKey].map(([key, paths]) => [key, { file: nameOf(paths), sha256: digestOf(paths) }]));
}

function nameOf([first, ...others]: readonly string[]): string {
  return `${basename(first!)}${others.length > 0 ? ` and ${others.length} more` : ""}`;
}

function digestOf(paths: readonly string[]): string {
  const [first, ...others] = paths.map((path) => digestOfBytes(readFileSync(path)).sha256);
  return others.length === 0
    ? first!
    : createHash("sha256")
        .update([first, ...others].join("\n"))
        .digest("hex");
}

/** What of a run's identity follows from its files. */
export function identityOf(digests: FileDigests): Identity {
  return Object.fromEntries(Object.entries(digests).map(([key, { file, sha256 }]) => [`${key} (${file})`, sha256]));
}

/** Keeps what the files hold, for a process that continues the run; nothing where there are none. */
export function keepDigests(run: Pick<RunFolder, "writeFile">, digests: FileDigests): void {
  if (Object.keys(digests).length > 0) run.writeFile(name, `${JSON.stringify(digests, null, 2)}\n`);
}

/**
 * The files that hold something else than when the run in a folder was started, as sentences. What another key names is told
 * by the configuration; of a run that has kept nothing of a file nothing is told.
 */
export function changedFiles(folder: string, digests: FileDigests): string[] {
  const kept = keptIn(folder);
  return Object.entries(digests).flatMap(([key, { file, sha256 }]) => {
    const before = kept[key];
    if (!isRecord(before) || before["sha256"] === sha256) return [];
    return [`${key}: ${file} is not what it was (its sha-256 differs)`];
  });
}

function keptIn(folder: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
