import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseBoundedJson } from "../../system/bounded-json.ts";
import { UserError } from "../../system/errors.ts";
import { chooseSplit } from "../choose-split.ts";
import { refusePointer } from "../files.ts";
import { openJoined } from "../join-tables.ts";
import type { Table } from "../table.ts";
import { arrow } from "./arrow.ts";
import type { Reader } from "./reader.ts";

const STATE = "state.json";
const DICTIONARY = "dataset_dict.json";

/** What Hugging Face's `save_to_disk` wrote: Arrow shards of one dataset, or a folder for each split of several. */
export const savedFolder: Reader = {
  name: "a Hugging Face save_to_disk folder",
  extensions: [],
  markers: [STATE, DICTIONARY],
  async open(path, { split } = {}) {
    const openShard = async (file: string): Promise<Table> => {
      refusePointer(file);
      return arrow.open(file);
    };
    return openJoined(shardsOf(splitFolder(path, split)), openShard, path);
  },
};

function splitFolder(folder: string, wanted: string | undefined): string {
  const file = join(folder, DICTIONARY);
  if (!existsSync(file)) return folder;
  const { splits } = readJson(file) as { splits?: unknown };
  if (!Array.isArray(splits) || splits.length === 0)
    throw new UserError("damaged-file", "lists no splits", { where: file });
  const names = splits.map((name) => plainName(name, file));
  return join(folder, chooseSplit(names, wanted, file));
}

function shardsOf(folder: string): string[] {
  const state = join(folder, STATE);
  if (!existsSync(state))
    throw new UserError("missing-file", "no such file", { where: state, fix: "Save the dataset again." });
  const { _data_files: files, _indices_data_files: indices } = readJson(state) as Record<string, unknown>;
  if (Array.isArray(indices) && indices.length > 0) {
    throw new UserError("unsupported-file", "the dataset was saved with an indices file, which is not read", {
      where: state,
      fix: "In Python: dataset.flatten_indices().save_to_disk(folder).",
    });
  }
  if (!Array.isArray(files) || files.length === 0)
    throw new UserError("damaged-file", "lists no data files", { where: state });
  return files.map((entry: unknown) => {
    const name = plainName((entry as { filename?: unknown } | null)?.filename, state);
    const path = join(folder, name);
    if (!existsSync(path)) throw new UserError("missing-file", `the shard ${name} is missing`, { where: state });
    return path;
  });
}

/** A name without folders: a state file must not lead outside its folder. */
function plainName(name: unknown, where: string): string {
  if (typeof name === "string" && name !== "" && name !== ".." && name === basename(name)) return name;
  throw new UserError("invalid-file-name", `has an unusable file name: ${JSON.stringify(name)}`, { where });
}

function readJson(path: string): unknown {
  try {
    const value = parseBoundedJson(readFileSync(path, "utf8"), { uniqueKeys: true });
    return value ?? {};
  } catch (error) {
    throw new UserError("invalid-json", `not valid JSON (${(error as Error).message})`, { where: path, cause: error });
  }
}
