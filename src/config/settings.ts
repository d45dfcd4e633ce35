import { UserError } from "../system/errors.ts";
import type { KeyPath } from "./problem.ts";
import { keyName } from "./problem.ts";
import type { Plain } from "./yaml.ts";
import { isForbiddenKey, parseSetting } from "./yaml.ts";

/** A `--set key=value` after it was put into the configuration. */
export interface Setting {
  readonly path: KeyPath;
  readonly text: string;
  /** What relative paths in it start from; undefined = the current folder, or what `loadConfig` was given for it. */
  readonly folder?: string;
}

/** A `key=value` text, with the folder that relative paths in it start from where that is not the current one. */
export type SettingText = string | { readonly text: string; readonly folder: string };

/** A `--set` text that is not a setting, and why. */
export interface UnreadableSetting {
  readonly text: string;
  readonly message: string;
}

/**
 * Puts `--set a.b=value` texts into a configuration (in place), the last one of a key winning.
 * @returns the settings, and those that could not be read
 */
export function applySettings(value: { [key: string]: Plain }, texts: readonly SettingText[]) {
  const settings: Setting[] = [];
  const unreadable: UnreadableSetting[] = [];
  for (const given of texts) {
    const { text, ...from } = typeof given === "string" ? { text: given } : given;
    try {
      const { keys, value: written } = split(text);
      const path = put(value, keys, parseSetting(written, keys));
      settings.push({ path, text, ...from });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      unreadable.push({ text, message: error.message.split("\n", 1)[0]! });
    }
  }
  return { settings, unreadable };
}

function split(text: string): { keys: string[]; value: string } {
  const equals = text.indexOf("=");
  const keys = text.slice(0, equals).trim().split(".");
  if (equals < 1 || keys.some((key) => key === "" || isForbiddenKey(key)))
    throw new UserError("malformed-option", "is not of the form key=value, as in --set training.steps=100");
  return { keys, value: text.slice(equals + 1) };
}

function put(root: { [key: string]: Plain }, keys: readonly string[], given: Plain): KeyPath {
  let group: { [key: string]: Plain } | Plain[] = root;
  const path: (string | number)[] = [];
  for (const [depth, key] of keys.entries()) {
    const step = Array.isArray(group) ? listIndex(key, group, [...path, key]) : key;
    path.push(step);
    const holder = group as Record<string | number, Plain>;
    if (depth === keys.length - 1) holder[step] = given;
    else if (typeof holder[step] !== "object" || holder[step] === null) holder[step] = {};
    group = holder[step] as { [key: string]: Plain };
  }
  return path;
}

function listIndex(key: string, list: readonly Plain[], path: KeyPath): number {
  if (/^\d{1,4}$/.test(key) && Number(key) < list.length) return Number(key);
  throw new UserError(
    "unknown-option",
    `${keyName(path.slice(0, -1))} is a list of ${list.length} without an entry "${key}"`,
  );
}

/** The setting that gave the value at `path`, or a group around it; undefined if the file did. */
export function settingOf(settings: readonly Setting[], path: KeyPath): Setting | undefined {
  return settings.findLast((setting) => isWithin(path, setting.path));
}

/** The setting that gave something inside the group at `path`. */
export function settingInside(settings: readonly Setting[], path: KeyPath): Setting | undefined {
  return settings.findLast((setting) => isWithin(setting.path, path));
}

function isWithin(inner: KeyPath, outer: KeyPath): boolean {
  return outer.every((key, depth) => inner[depth] === key);
}
