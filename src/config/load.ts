import { readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { stringify } from "yaml";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { methodGroups, type Methods } from "./methods.ts";
import { resolvePaths } from "./paths.ts";
import type { KeyPath, Problem } from "./problem.ts";
import { keyName, valueAt } from "./problem.ts";
import type { JsonSchema } from "../contract/index.ts";
import { renamed, withRenamed, type Rename } from "./renames.ts";
import type { Setting, SettingText } from "./settings.ts";
import { applySettings, settingInside, settingOf } from "./settings.ts";
import { keysOf, validate } from "./validate.ts";
import type { ParsedYaml, Plain } from "./yaml.ts";
import { parseYaml } from "./yaml.ts";

/** Keys that exclude each other; with `required`, one of them must be given. */
export interface Alternatives {
  readonly keys: readonly string[];
  readonly required?: boolean;
}

/** Everything needed to read one kind of configuration as a `Config`. */
export interface ConfigDefinition<Config> {
  readonly schema: JsonSchema;
  /** Keys of which at most one may be given; one given by `--set` replaces another given by the file. */
  readonly alternatives: readonly Alternatives[];
  /** Catalogues whose entries it names; the options beside a name are checked by the entry's own schema. */
  readonly methods?: readonly Methods[];
  /** Keys and values of earlier versions, which are refused with their new names. */
  readonly renames?: readonly Rename[];
  /** What files of data are read, in whole sentences: for advice to fetch some. */
  readonly readable?: string;
  /** Contradictions between keys; called when every key by itself is right. May fill in computed defaults. */
  readonly finish: (config: Config, source: string) => Problem[];
}

/** A configuration ready for use. */
export interface LoadedConfig<Config> {
  /** All defaults filled in, all paths absolute. */
  readonly config: Config;
  /** The configuration as YAML; loading it gives the same again, from any folder. */
  readonly resolvedYaml: string;
}

const largestFile = 1 << 20;

/**
 * Reads a configuration: command line before file before defaults.
 * @param options.set `key=value` texts of `--set`; their paths are relative to `options.folder` (the current one)
 * @param options.example what to write instead where there is no file
 * @param options.made absolute paths of files that count as there, as something will have made them by then
 * @throws UserError with every problem at once, each with its line, key, what is expected and what was found
 */
export function loadConfig<Config>(
  definition: ConfigDefinition<Config>,
  file: string,
  options: { set?: readonly SettingText[]; folder?: string; example?: string; made?: readonly string[] } = {},
): LoadedConfig<Config> {
  const folder = options.folder ?? process.cwd();
  const source = resolve(folder, file);
  const fromHere = relative(process.cwd(), source);
  const name = fromHere.startsWith("..") ? source : fromHere;
  const yaml = parsedOnce(readText(source, name, options.example), name);
  const raw = structuredClone(yaml.value) ?? {};
  if (typeof raw !== "object" || Array.isArray(raw))
    throw new UserError("invalid-config", "a configuration is a list of `key: value` lines", { where: `${name}:1:1` });

  const { settings, unreadable } = applySettings(raw, options.set ?? []);
  const old = renamed(raw, definition.renames ?? []);
  const problems = settleAlternatives(raw, definition.alternatives, settings);
  const everyKey = keysOf(definition.schema);
  const folderOf = (path: KeyPath) => {
    const setting = settingOf(settings, path);
    return setting === undefined ? dirname(source) : (setting.folder ?? folder);
  };
  problems.push(...validate("completing", definition.schema, raw, [], everyKey));
  const chosen = methodGroups(definition.methods ?? [], definition.schema, raw);
  problems.push(...chosen.problems);
  problems.push(...resolvePaths(definition.schema, raw, [], { ...definition, ...options, folderOf }));
  for (const { path, schema } of chosen.groups)
    problems.push(...validate("checking", schema, valueAt(raw, path), path, everyKey));
  const config = raw as Config;
  if (problems.length + old.length + unreadable.length === 0) problems.push(...definition.finish(config, source));
  const lines = unreadable.map(({ text, message }) => `--set ${text}: ${message}`);
  lines.push(...located(withRenamed(old, problems), name, yaml, settings));
  if (lines.length === 1) throw new UserError("invalid-config", lines[0]!);
  if (lines.length > 1)
    throw new UserError("invalid-config", [`${lines.length} problems in the configuration`, ...lines].join("\n  "));
  let resolved: string | undefined;
  return {
    config,
    get resolvedYaml() {
      return (resolved ??= stringify(inOrder(definition.schema, config))); // of thousands of cells few are asked for it
    },
  };
}

let lastParsed: { text: string; name: string; yaml: ParsedYaml } | undefined;

/** A grid reads its base once for each cell. */
function parsedOnce(text: string, name: string): ParsedYaml {
  if (lastParsed?.text !== text || lastParsed.name !== name) lastParsed = { text, name, yaml: parseYaml(text, name) };
  return lastParsed.yaml;
}

/** The same value with its keys in the schema's order, others after them. */
function inOrder(schema: JsonSchema | undefined, value: unknown): unknown {
  if (!isRecord(value)) return value;
  const keys = new Set([...Object.keys(schema?.properties ?? {}), ...Object.keys(value)]);
  const entries = [...keys].filter((key) => Object.hasOwn(value, key));
  return Object.fromEntries(entries.map((key) => [key, inOrder(schema?.properties?.[key], value[key])]));
}

function readText(source: string, name: string, example: string | undefined): string {
  try {
    const { size } = statSync(source);
    if (size > largestFile)
      throw new UserError("too-large", `${size} bytes are too many for a configuration`, { where: name });
    return readFileSync(source, "utf8");
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    const what = code === "ENOENT" ? "there is no such file" : `cannot be read (${code ?? String(cause)})`;
    throw new UserError(code === "ENOENT" ? "missing-file" : "unreadable", what, {
      where: name,
      fix: `Name a configuration file${example === undefined ? "" : `, as in ${example}`}`,
      cause,
    });
  }
}

/** Lets a key given on the command line replace its alternatives in the file, and reports those left over. */
function settleAlternatives(
  raw: { [key: string]: Plain },
  alternatives: readonly Alternatives[],
  settings: readonly Setting[],
): Problem[] {
  const problems: Problem[] = [];
  const isSet = (key: string) => settings.some(({ path }) => `${keyName(path)}.`.startsWith(`${key}.`));
  for (const { keys, required } of alternatives) {
    if (keys.some(isSet)) for (const key of keys) if (!isSet(key)) remove(raw, key.split("."));
    const given = keys.filter((key) => valueAt(raw, key.split(".")) !== undefined);
    if (required && given.length === 0)
      problems.push({ path: [keys[0]!], message: `is missing; expected it or ${keys.slice(1).join(" or ")}` });
    for (const key of given.slice(1))
      problems.push({
        path: key.split("."),
        message: `cannot be given together with ${given[0]!}; keep one`,
        atKey: true,
      });
  }
  return problems;
}

function remove(raw: { [key: string]: Plain }, path: readonly string[]): void {
  const parent = valueAt(raw, path.slice(0, -1));
  if (typeof parent === "object" && parent !== null) Reflect.deleteProperty(parent, path.at(-1)!);
}

/** One line per problem with its place: first those of the command line, then those of the file from top to bottom. */
function located(problems: readonly Problem[], file: string, yaml: ParsedYaml, settings: readonly Setting[]): string[] {
  const places = problems.map(({ path, message, atKey }) => {
    const { line, column, exact } = yaml.locate(path, atKey === true ? "key" : "value");
    const setting = settingOf(settings, path) ?? (exact || !atKey ? undefined : settingInside(settings, path));
    const text = `${keyName(path) || "the configuration"} ${message}`;
    if (setting !== undefined) return { line: 0, column: 0, text: `--set ${setting.text}: ${text}` };
    return { line, column, text: `${file}:${line}:${column}: ${text}` };
  });
  return places.sort((a, b) => a.line - b.line || a.column - b.column).map(({ text }) => text);
}
