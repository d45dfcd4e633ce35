import { statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { UserError } from "../../system/errors.ts";
import { matchingFiles } from "../../system/glob.ts";
import { readerByExtension } from "../file-reader.ts";

/** Words that tell a split, as Hugging Face `datasets` knows them. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};
/** How `push_to_hub` names the shards of a split. */
const SHARD = /^data\/([\w.-]+?)-\d{5}-of-\d{5}\b/;

/** The data files that fit patterns inside a folder; a folder stands for all in it. */
export function filesOf(folder: string, patterns: readonly string[], where: string): string[] {
  const files = patterns.flatMap((pattern) => {
    const isFolder = statSync(join(folder, pattern), { throwIfNoEntry: false })?.isDirectory() ?? false;
    const found = matchingFiles(isFolder ? `${pattern}/**` : pattern, folder);
    if (found.length === 0)
      throw new UserError("missing-file", `no file fits ${JSON.stringify(pattern)}`, {
        where,
        fix: "Fetch the dataset again with its data files.",
      });
    return isFolder ? found.filter(isData) : found;
  });
  return [...new Set(files)];
}

/** The data files of a folder by split, told by the names of files and folders; all are `train` where no name tells one. */
export function splitsByName(folder: string): Map<string, string[]> {
  const files = matchingFiles("**", folder).filter(isData);
  const paths = files.map((file) => ({ file, path: relative(folder, file).replaceAll("\\", "/") }));
  for (const tell of [shardSplit, fileSplit, folderSplit]) {
    const splits = new Map<string, string[]>();
    for (const { file, path } of paths) {
      const split = tell(path);
      if (split !== undefined) splits.set(split, [...(splits.get(split) ?? []), file]);
    }
    if (splits.size > 0) return splits;
  }
  return files.length === 0 ? new Map() : new Map([["train", files]]);
}

/** Files about the data, which are no data. */
const FACTS = ["dataset_infos.json", "dataset_info.json"];

function isData(file: string): boolean {
  return readerByExtension(file) !== undefined && !FACTS.includes(basename(file));
}

function shardSplit(path: string): string | undefined {
  return SHARD.exec(path)?.[1];
}

function fileSplit(path: string): string | undefined {
  return keyword(path.slice(path.lastIndexOf("/") + 1));
}

function folderSplit(path: string): string | undefined {
  return path
    .split("/")
    .slice(0, -1)
    .map(keyword)
    .find((split) => split !== undefined);
}

function keyword(name: string): string | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/);
  return Object.keys(KEYWORDS).find((split) => KEYWORDS[split]!.some((word) => words.includes(word)));
}
