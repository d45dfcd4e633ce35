import { basename, join, relative } from "node:path";
import { statSync } from "node:fs";
import { UserError } from "../../system/errors.ts";
import { isPattern, matchingFiles } from "../../system/glob.ts";
import { readerByExtension } from "../file-reader.ts";

/** Words that tell a split, in the order in which Hugging Face `datasets` looks for them and reads their files. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};
/** What may stand beside such a word. */
const BESIDE = "[-._ 0-9]";
/** How `push_to_hub` names the shards of a split. */
const SHARD = /^data\/([^/]+)-\d{5}-of-\d{5}[^/]*\.[^/]*$/;
/** Files about the data, which are no data. */
const FACTS = ["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "config.json"];

/**
 * The data files that fit patterns inside a folder, each once; a folder stands for all in it.
 *
 * @throws UserError for a name that is no pattern and of no file
 */
export function filesOf(folder: string, patterns: readonly string[], where: string): string[] {
  const files = patterns.flatMap((pattern) => {
    const isFolder = statSync(join(folder, pattern), { throwIfNoEntry: false })?.isDirectory() ?? false;
    const found = matchingFiles(isFolder ? `${pattern}/**` : pattern, folder);
    if (isFolder || isPattern(pattern)) return found.filter(isData);
    if (found.length > 0) return found;
    throw new UserError("missing-file", `no file fits ${JSON.stringify(pattern)}`, {
      where,
      fix: "Fetch the dataset again with its data files.",
    });
  });
  return [...new Set(files)];
}

/**
 * The data files of a folder by split, told by the names of files and folders as Hugging Face `datasets` 5 tells them: by
 * those of shards in `data`, or else of folders, or else of files. All are `train` where no name tells a split.
 */
export function splitsByName(folder: string): Map<string, string[]> {
  const files = matchingFiles("**", folder).filter(isData);
  const named = files
    .map((file) => ({ file, path: relative(folder, file).replaceAll("\\", "/") }))
    .filter(
      ({ path }) =>
        !path
          .split("/")
          .slice(0, -1)
          .some((name) => name.startsWith("__")),
    );
  for (const splits of [shardSplits(named), keywordSplits(named, folderWords), keywordSplits(named, fileWords)])
    if (splits.size > 0) return splits;
  return named.length === 0 ? new Map() : new Map([["train", named.map(({ file }) => file)]]);
}

interface NamedFile {
  readonly file: string;
  readonly path: string;
}

function shardSplits(files: readonly NamedFile[]): Map<string, string[]> {
  const splits = new Map<string, string[]>(Object.keys(KEYWORDS).map((name) => [name, []]));
  const found = files.map(({ file, path }) => ({ file, split: SHARD.exec(path)?.[1] }));
  for (const { file, split } of found) if (split !== undefined) splits.set(split, [...(splits.get(split) ?? []), file]);
  return withFiles(splits);
}

/** Files by the split whose words their names have; one may belong to several. */
function keywordSplits(
  files: readonly NamedFile[],
  patternsOf: (word: string) => readonly RegExp[],
): Map<string, string[]> {
  const splits = Object.entries(KEYWORDS).map(([split, words]): [string, string[]] => {
    const patterns = words.flatMap(patternsOf);
    const found = patterns.flatMap((pattern) => files.filter(({ path }) => pattern.test(path)));
    return [split, [...new Set(found.map(({ file }) => file))]];
  });
  return withFiles(new Map(splits));
}

const fileWords = (word: string): RegExp[] => [
  new RegExp(`(^|/)${word}${BESIDE}[^/]*$`),
  new RegExp(`(^|/)[^/]*${BESIDE}${word}${BESIDE}[^/]*$`),
];
const folderWords = (word: string): RegExp[] => [
  new RegExp(`(^|/)${word}/`),
  new RegExp(`(^|/)${word}${BESIDE}[^/]*/`),
  new RegExp(`(^|/)[^/]*${BESIDE}${word}/`),
  new RegExp(`(^|/)[^/]*${BESIDE}${word}${BESIDE}[^/]*/`),
];

function withFiles(splits: ReadonlyMap<string, string[]>): Map<string, string[]> {
  return new Map([...splits].filter(([, files]) => files.length > 0));
}

function isData(file: string): boolean {
  return readerByExtension(file) !== undefined && !FACTS.includes(basename(file));
}
