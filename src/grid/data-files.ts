import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { existingPaths } from "../config/own-files.ts";
import { valueAt } from "../config/problem.ts";
import { UserError } from "../system/errors.ts";
import { digestOfFile } from "../system/file-digest.ts";
import { isPattern, matchingFiles } from "../system/glob.ts";
import { isRecord } from "../system/is-record.ts";
import { type Cell, cellConfig, type Cells } from "./cells.ts";
import { writeFile } from "./write-file.ts";

/** A file of data or of a model as a cell found it. */
interface FoundFile {
  readonly bytes: number;
  /** Of its last change: a file that has neither changed is not read again. */
  readonly time: number;
  readonly sha256: string;
}

/** By path. */
type FoundFiles = Readonly<Record<string, FoundFile>>;

/**
 * Notes beside a cell what the files that it reads hold before it is run.
 * @throws UserError for a file that held something else when another cell of the grid was run: the two could not be compared
 */
export async function noteData(cells: Cells, cell: Cell): Promise<void> {
  const others = cells.cells.flatMap((other) => {
    const files = other === cell ? undefined : foundBy(other);
    return files === undefined ? [] : [{ other, files }];
  });
  const found: Record<string, FoundFile> = {};
  for (const path of filesOf(cells, cell)) {
    const { size, mtimeMs } = statSync(path);
    const known = others.map(({ files }) => files[path]).find((file) => file?.bytes === size && file.time === mtimeMs);
    found[path] = known ?? { bytes: size, time: mtimeMs, sha256: (await digestOfFile(path)).sha256 };
    const changed = others.find(({ files }) => isOther(files[path], found[path]));
    if (changed === undefined) continue;
    throw new UserError("run-changed", `holds something else than when ${changed.other.name} was run`, {
      where: path,
      fix: "Put the file back, delete the cells' folders to run all of them anew, or name another output: --output FOLDER",
    });
  }
  writeFile(recordOf(cell), `${JSON.stringify(found, null, 2)}\n`);
}

/** Where cells that are compared have read other contents of one file: sentences. */
export function dataNotes(cells: readonly Cell[]): string[] {
  const read = cells.flatMap((cell) => {
    const files = foundBy(cell);
    return files === undefined ? [] : [{ cell, files }];
  });
  const paths = [...new Set(read.flatMap(({ files }) => Object.keys(files)))];
  return paths.flatMap((path) => {
    const having = read.filter(({ files }) => files[path] !== undefined);
    const other = having.filter(({ files }) => isOther(having[0]!.files[path], files[path]));
    if (other.length === 0) return [];
    const names = other.map(({ cell }) => cell.name).join(", ");
    return [`${basename(path)} held something else when ${names} ran than when ${having[0]!.cell.name} did.`];
  });
}

const isOther = (one: FoundFile | undefined, other: FoundFile | undefined): boolean =>
  one !== undefined && other !== undefined && one.sha256 !== other.sha256;

const recordOf = ({ folder }: Cell): string => `${folder}.data.json`;

/** What a cell whose run is there has found; undefined where that was not noted. */
function foundBy(cell: Cell): FoundFiles | undefined {
  if (!existsSync(cell.folder)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(recordOf(cell), "utf8"));
    return isRecord(value) && Object.values(value).every(isRecord) ? (value as FoundFiles) : undefined;
  } catch {
    return undefined;
  }
}

/** The local files that a cell reads: rows, models, adapters. A folder's descriptions are none of them. */
function filesOf(cells: Cells, cell: Cell): string[] {
  const { config } = cellConfig(cells, cell);
  const rows = (["train", "validation"] as const).flatMap((key) => pathsOf(config, key));
  const named = existingPaths(cells.grid.recipe.config.schema, config).map(({ path }) => path);
  return [...new Set([...rows, ...named].flatMap(filesIn))].filter((path) => !path.endsWith(".md"));
}

/** The files and folders that a configuration names under `data`. */
export function pathsOf(config: object, key: "train" | "validation"): string[] {
  return [valueAt(config, ["data", key])].flat().flatMap((file) => {
    const path: unknown = isRecord(file) ? file["path"] : file;
    return typeof path === "string" ? (isPattern(path) ? matchingFiles(path) : [path]) : [];
  });
}

function filesIn(path: string): string[] {
  const about = statSync(path, { throwIfNoEntry: false });
  if (about?.isFile()) return [path];
  if (!about?.isDirectory()) return [];
  return readdirSync(path, { withFileTypes: true, recursive: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}
