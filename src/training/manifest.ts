import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../data/atomic.ts";
import { parseBoundedJson } from "../system/bounded-json.ts";
import { digestOfBytes, digestOfFile, type FileDigest } from "../system/file-digest.ts";
import { isRecord } from "../system/is-record.ts";

/** What a continued run must share with the one that saved, by name: engine, provider, threads, versions, data. */
export type Identity = Readonly<Record<string, string | number>>;

/** Digests of files, by their names below a folder (with `/`). */
export type Digests = Readonly<Record<string, FileDigest>>;

/** What a checkpoint holds: whatever differs from it is damage. */
export interface Manifest {
  readonly step: number;
  /** Versions and fingerprints of what made it. */
  readonly identity: Identity;
  /** Every file of the checkpoint but this one. */
  readonly files: Digests;
  /** Files of the run that go with it, as they were: logs, of which more lines may follow, and what was written once. */
  readonly records: Digests;
}

/** Name of the manifest in a checkpoint's folder. */
export const manifestFile = "manifest.json";

const mark = { format: "tokensift manifest", version: 1 } as const;
const mostBytes = 1 << 26;

/**
 * Writes the manifest of a folder.
 * @param known digests that were taken while the files were written; the other files are read
 */
export async function writeManifest(
  folder: string,
  about: Pick<Manifest, "step" | "identity" | "records">,
  known: Digests,
): Promise<void> {
  const files: Record<string, FileDigest> = {};
  for (const name of filesBelow(folder)) files[name] = known[name] ?? (await digestOfFile(join(folder, name)));
  const content = { ...mark, ...about, files };
  const { sha256 } = digestOfBytes(JSON.stringify(content));
  const text = `${JSON.stringify({ ...content, sha256 }, null, 2)}\n`;
  writeFileAtomically(join(folder, manifestFile), text);
}

/** The manifest of a folder; a sentence where it cannot be believed, undefined where there is none. */
export function readManifest(folder: string): Manifest | string | undefined {
  const path = join(folder, manifestFile);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > mostBytes) return `${manifestFile} is not a file of ours`;
  const text = readFileSync(path, "utf8");
  let value: unknown;
  try {
    value = parseBoundedJson(text);
  } catch {
    return `${manifestFile} is not JSON`;
  }
  const { sha256, ...content } = isRecord(value) ? value : {};
  if (sha256 !== digestOfBytes(JSON.stringify(content)).sha256) return `${manifestFile} is not what was saved`;
  const { format, version } = content;
  if (format !== mark.format || version !== mark.version) return `${manifestFile} is not that of this version`;
  if (!isManifest(content)) return `${manifestFile} lists no files that a run could have`;
  return content;
}

/** Its own digest says only that it is whole: anybody can make one. */
function isManifest(content: Record<string, unknown>): content is Record<string, unknown> & Manifest {
  const { step, identity, files, records } = content;
  return Number.isSafeInteger(step) && isRecord(identity) && isDigests(files) && isDigests(records);
}

function isDigests(value: unknown): value is Digests {
  return isRecord(value) && Object.entries(value).every(([name, digest]) => isName(name) && isDigest(digest));
}

/** A path below a folder. */
function isName(name: string): boolean {
  return /^[^\\\0]{1,1000}$/.test(name) && name.split("/").every((part) => !["", ".", ".."].includes(part));
}

function isDigest(value: unknown): value is FileDigest {
  return isRecord(value) && Number.isSafeInteger(value.bytes) && typeof value.sha256 === "string";
}

/** What is wrong with the files of a folder, of the first that is not as the manifest says. */
export async function damageOf(folder: string, { files }: Pick<Manifest, "files">): Promise<string | undefined> {
  for (const [name, saved] of Object.entries(files)) {
    const damage = await damageOfFile(join(folder, name), saved);
    if (damage !== undefined) return `${name} ${damage}`;
  }
  return undefined;
}

/** What is wrong with a file, as the end of a sentence; undefined where nothing is. */
export async function damageOfFile(path: string, saved: FileDigest): Promise<string | undefined> {
  try {
    const found = statSync(path);
    if (!found.isFile()) return "is not a file";
    if (found.size !== saved.bytes) return `has ${found.size} bytes instead of ${saved.bytes}`;
    return (await digestOfFile(path)).sha256 === saved.sha256
      ? undefined
      : "is not what was saved (its sha-256 differs)";
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "is missing";
    if (["EIO", "ENOTDIR", "ENAMETOOLONG", "EACCES", "ELOOP"].includes(code)) return `cannot be read (${code})`;
    throw error;
  }
}

function filesBelow(folder: string): string[] {
  const names = (readdirSync(folder, { recursive: true }) as string[]).map((name) => name.replaceAll("\\", "/"));
  return names.filter((name) => name !== manifestFile && statSync(join(folder, name)).isFile()).sort();
}
