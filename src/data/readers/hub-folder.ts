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

/**
 * The files of a split, in the order in which they are read; those of other splits need not be there.
 *
 * @param wanted SPLIT or CONFIGURATION/SPLIT, or CONFIGURATION alone; default: the usual one
 */
export function chosenFiles(folder: string, wanted?: string): readonly string[] {
  const readme = join(folder, README);
  const named = existsSync(readme) ? configurations(readFileSync(readme, "utf8"), readme) : [];
  if (named.length === 0) return filesByName(folder, wanted, folder);
  const { configuration, split } = chosenConfiguration(named, wanted, readme);
  const { splits } = configuration;
  if (splits.length === 0) return filesByName(join(folder, configuration.folder), split, readme);
  const names = splits.map(({ name }) => name);
  const chosen = splits[names.indexOf(chooseSplit(names, split, readme))]!;
  return present(filesOf(folder, chosen.patterns, readme), chosen.name, readme);
}

function filesByName(folder: string, wanted: string | undefined, where: string): readonly string[] {
  const splits = splitsByName(folder);
  if (splits.size === 0)
    throw new UserError("missing-file", "there is no data file in the folder", { where, fix: FETCH });
  const split = chooseSplit([...splits.keys()], wanted, where);
  return present(splits.get(split)!, split, where);
}

const FETCH = "Fetch the dataset again with its data files.";

function present(files: readonly string[], split: string, where: string): readonly string[] {
  if (files.length > 0) return files;
  throw new UserError("missing-file", `no file of the split "${split}" is there`, { where, fix: FETCH });
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
  const usual = named.length === 1 ? named : named.filter(({ name, isDefault }) => isDefault || name === "default");
  if (usual.length === 1) return { configuration: usual[0]!, split: wanted };
  const choices = named.flatMap(({ name, splits }) =>
    splits.length === 0 ? [name] : splits.map((split) => `${name}/${split.name}`),
  );
  throw new UserError("unknown-split", "the dataset has several configurations", {
    where,
    fix: `Choose a split of one of them: ${choices.join(", ")}.`,
  });
}
