import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { chooseSplit } from "../choose-split.ts";
import { fileReader } from "../file-reader.ts";
import { openJoined } from "../join-tables.ts";
import type { Table } from "../table.ts";
import { configurations, type Configuration } from "../hub/configurations.ts";
import { splitsByName, filesOf } from "../hub/splits.ts";
import type { Reader } from "./reader.ts";

const README = "README.md";

/**
 * A dataset of the Hugging Face hub as it is cloned: which files belong to which split is said at the head of README.md
 * or else by their names. A split of one of several configurations is named CONFIGURATION/SPLIT.
 */
export const hubFolder: Reader = {
  name: "a dataset folder of the Hugging Face hub",
  extensions: [],
  markers: [README, ".gitattributes", "data"],
  async open(path, { split } = {}) {
    const openFile = async (file: string): Promise<Table> => {
      const reader = fileReader(file);
      if (reader !== undefined) return reader.open(file);
      throw new UserError("wrong-file-kind", "files of this kind are not read", { where: file });
    };
    return openJoined(chosenFiles(path, split), openFile, path);
  },
};

function chosenFiles(folder: string, wanted: string | undefined): readonly string[] {
  const readme = join(folder, README);
  const named = existsSync(readme) ? configurations(readFileSync(readme, "utf8"), readme) : [];
  if (named.length === 0) return filesOfSplit(splitsByName(folder), wanted, folder);
  const { configuration, split } = chosenConfiguration(named, wanted, readme);
  const splits = new Map(configuration.splits.map(({ name, patterns }) => [name, filesOf(folder, patterns, readme)]));
  return filesOfSplit(splits.size > 0 ? splits : splitsByName(join(folder, configuration.folder)), split, readme);
}

function chosenConfiguration(
  named: readonly Configuration[],
  wanted: string | undefined,
  where: string,
): { configuration: Configuration; split: string | undefined } {
  const [first, ...rest] = (wanted ?? "").split("/");
  const byName = named.find(({ name }) => name === first);
  if (byName !== undefined && (rest.length > 0 || named.length > 1))
    return { configuration: byName, split: rest.length > 0 ? rest.join("/") : undefined };
  const usual =
    named.length === 1
      ? named[0]
      : (named.find(({ isDefault }) => isDefault) ?? named.find(({ name }) => name === "default"));
  if (usual !== undefined) return { configuration: usual, split: wanted };
  const choices = named.flatMap(({ name, splits }) =>
    splits.length === 0 ? [name] : splits.map((split) => `${name}/${split.name}`),
  );
  throw new UserError("unknown-split", "the dataset has several configurations", {
    where,
    fix: `Choose a split of one of them: ${choices.join(", ")}.`,
  });
}

function filesOfSplit(
  splits: ReadonlyMap<string, readonly string[]>,
  wanted: string | undefined,
  where: string,
): readonly string[] {
  const fix = "Fetch the dataset again with its data files.";
  if (splits.size === 0) throw new UserError("missing-file", "there is no data file in the folder", { where, fix });
  const split = chooseSplit([...splits.keys()], wanted, where);
  const files = splits.get(split)!;
  if (files.length > 0) return files;
  throw new UserError("missing-file", `no file of the split "${split}" is there`, { where, fix });
}
