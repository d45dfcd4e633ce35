import { parseYaml, type Plain } from "../../config/yaml.ts";
import { UserError } from "../../system/errors.ts";
import { repeatedName } from "../column-names.ts";

/** A part of a dataset that README.md names, with the files of its splits as patterns. */
export interface Configuration {
  readonly name: string;
  readonly isDefault: boolean;
  readonly splits: readonly { readonly name: string; readonly patterns: readonly string[] }[];
  /** Where its files are, if they are not named. */
  readonly folder: string;
}

/**
 * The configurations at the head of a README.md, which is YAML between lines of three dashes.
 * Source: https://huggingface.co/docs/hub/datasets-manual-configuration
 */
export function configurations(readme: string, where: string): Configuration[] {
  const block = configsBlock(readme);
  if (block === undefined) return [];
  const { configs } = parseYaml(block, where).value as { configs?: Plain };
  if (configs === null || configs === undefined) return [];
  if (!Array.isArray(configs)) throw wrong("configs is no list", where);
  return configs.map((entry) => configurationOf(entry, where));
}

/** The lines of `configs`; the head may hold much else, of any size. */
function configsBlock(readme: string): string | undefined {
  const lines = readme.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines[0]?.trim() !== "---") return undefined;
  const end = lines.findIndex((line, i) => i > 0 && line.trim() === "---");
  const head = lines.slice(1, end < 0 ? undefined : end);
  const from = head.findIndex((line) => /^configs\s*:/.test(line));
  if (from < 0) return undefined;
  const next = head.findIndex((line, i) => i > from && /^[^\s#-]/.test(line));
  return head.slice(from, next < 0 ? undefined : next).join("\n");
}

function configurationOf(entry: Plain, where: string): Configuration {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw wrong("an entry of configs has no keys", where);
  const { config_name: name = "default", default: isDefault, data_files: files, data_dir: folder = "" } = entry;
  if (typeof name !== "string" || typeof folder !== "string") throw wrong("a configuration has no name", where);
  return { name, isDefault: isDefault === true, splits: splitsOf(files, folder, where), folder: inside(folder, where) };
}

function splitsOf(files: Plain | undefined, folder: string, where: string): Configuration["splits"] {
  if (files === undefined || files === null) return [];
  const list = Array.isArray(files) ? files : [files];
  if (list.every((entry) => typeof entry === "string"))
    return [{ name: "train", patterns: list.map((pattern) => inFolder(folder, pattern, where)) }];
  const splits = list.map((entry) => {
    const { split = "train", path } = (entry ?? {}) as { split?: Plain; path?: Plain };
    const patterns = Array.isArray(path) ? path : [path];
    if (typeof split !== "string" || !patterns.every((pattern) => typeof pattern === "string"))
      throw wrong("data_files has an entry without split and path", where);
    return { name: split, patterns: patterns.map((pattern) => inFolder(folder, pattern, where)) };
  });
  const twice = repeatedName(splits.map(({ name }) => name));
  if (twice === undefined) return splits;
  throw wrong(`data_files names the split ${JSON.stringify(twice)} twice`, where);
}

function inFolder(folder: string, pattern: string, where: string): string {
  return inside(folder === "" ? pattern : `${folder}/${pattern}`, where);
}

const LONGEST_PATTERN = 256;
const MOST_STARS = 8;

/** A README must not lead outside its folder, nor name patterns that take for ever to compare. */
function inside(path: string, where: string): string {
  const isOutside = /^([/\\]|[a-z]:)/i.test(path) || path.includes("://") || path.split(/[/\\]/).includes("..");
  const isHard = path.length > LONGEST_PATTERN || path.includes("(") || path.split("*").length > MOST_STARS + 1;
  if (!isOutside && isHard)
    throw new UserError("invalid-file-name", `names files by a pattern that is not read: ${JSON.stringify(path)}`, {
      where,
    });
  if (!isOutside) return path;
  throw new UserError("invalid-file-name", `names a file outside the folder: ${JSON.stringify(path)}`, { where });
}

function wrong(what: string, where: string): UserError {
  return new UserError("damaged-file", `${what}, so that its splits are not known`, {
    where,
    fix: "Mend the lines between the dashes at its head, or give the data files themselves.",
  });
}
