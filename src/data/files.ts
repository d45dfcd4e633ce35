import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../system/errors.ts";

/**
 * The data files behind a path: a file itself, or the shards of a folder that Hugging Face's `save_to_disk` wrote.
 *
 * @param split which split of a `DatasetDict` folder; without it the only one, or `train`
 */
export function resolveFiles(path: string, split?: string): string[] {
  if (!existsSync(path)) throw new UserError("no such file or folder", { where: path });
  if (!statSync(path).isDirectory()) {
    if (split === undefined) return [path];
    throw new UserError("a split is a part of a folder, but this is a file", {
      where: path,
      fix: `Leave out the split "${split}", or give the folder that save_to_disk wrote.`,
    });
  }
  const dictionary = join(path, "dataset_dict.json");
  if (existsSync(dictionary)) return resolveFiles(join(path, chooseSplit(dictionary, split)));
  const state = join(path, "state.json");
  if (existsSync(state)) return shards(path, state);
  const candidates = readdirSync(path).filter((name) => /\.(arrow|jsonl|json)$/.test(name));
  throw new UserError("the folder was not written by Hugging Face's save_to_disk (it has no state.json)", {
    where: path,
    fix: candidates.length > 0 ? `Give a file in it: ${candidates.slice(0, 5).join(", ")}.` : "Give a data file.",
  });
}

function chooseSplit(file: string, wanted: string | undefined): string {
  const { splits } = readJson(file) as { splits?: unknown };
  if (!Array.isArray(splits) || splits.length === 0) throw new UserError("lists no splits", { where: file });
  const names = splits.map((name) => plainName(name, file));
  const split = wanted ?? (names.length === 1 ? names[0] : names.includes("train") ? "train" : undefined);
  if (split !== undefined && names.includes(split)) return split;
  throw new UserError(split === undefined ? "the folder has several splits" : `there is no split "${split}"`, {
    where: file,
    fix: `Choose one of: ${names.join(", ")}.`,
  });
}

function shards(folder: string, state: string): string[] {
  const { _data_files: files, _indices_data_files: indices } = readJson(state) as Record<string, unknown>;
  if (Array.isArray(indices) && indices.length > 0) {
    throw new UserError("the dataset was saved with an indices file, which is not read", {
      where: state,
      fix: "In Python: dataset.flatten_indices().save_to_disk(folder).",
    });
  }
  if (!Array.isArray(files) || files.length === 0) throw new UserError("lists no data files", { where: state });
  return files.map((entry: unknown) => {
    const name = plainName((entry as { filename?: unknown } | null)?.filename, state);
    const path = join(folder, name);
    if (!existsSync(path)) throw new UserError(`the shard ${name} is missing`, { where: state });
    return path;
  });
}

/** A name without folders: a state file must not lead outside its folder. */
function plainName(name: unknown, where: string): string {
  if (typeof name === "string" && name !== "" && name !== ".." && name === basename(name)) return name;
  throw new UserError(`has an unusable file name: ${JSON.stringify(name)}`, { where });
}

function readJson(path: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return value ?? {};
  } catch (error) {
    throw new UserError(`not valid JSON (${(error as Error).message})`, { where: path, cause: error });
  }
}

/** SHA-256 over the sizes and contents of files, read in pieces. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(2 ** 20);
  for (const path of paths) {
    hash.update(`${statSync(path).size}\n`);
    const fd = openSync(path, "r");
    try {
      for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk))
        hash.update(chunk.subarray(0, count));
    } finally {
      closeSync(fd);
    }
  }
  return hash.digest("hex");
}
