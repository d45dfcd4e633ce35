import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseYaml } from "../config/yaml.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { optional } from "../system/optional.ts";
import { isRunFolder } from "../training/run-folder.ts";
import { readArm } from "./read-arm.ts";
import { readTokens } from "./read-tokens.ts";
import type { Run, RunLayout } from "./run.ts";
import { type JsonObject, runText, textOf } from "./run-files.ts";

/**
 * Reads a run folder and its arms' folders, which a recipe has laid out. Files that are missing, and numbers that are, stay empty.
 * @throws UserError if the folder holds no run, or a file of it is broken; it names file and line
 */
export function readRun(folder: string, layout: RunLayout): Run {
  const path = resolve(folder);
  if (!holdsRun(path))
    throw new UserError("no-run", "there is no run here: no metrics.jsonl", {
      where: folder,
      fix: "Name the folder that a training run wrote (its configuration's `output`).",
    });
  const configText = runText(path, "config.yaml");
  const value = configText === undefined ? {} : parseYaml(configText, join(path, "config.yaml")).value;
  const config: JsonObject = isRecord(value) ? value : {};
  const [first, planned] = [layout.main(config), layout.others(config)];
  const found = readdirSync(path).filter((name) => name !== first.folder && holdsRun(join(path, name)));
  const place = (name: string) => {
    const index = planned.findIndex((arm) => arm.name === name);
    return index < 0 ? planned.length : index;
  };
  found.sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
  const main = readArm(join(path, first.folder ?? ""), first);
  const arms = found.map((name) =>
    readArm(join(path, name), { name, ...optional({ method: planned.find((arm) => arm.name === name)?.method }) }),
  );
  const ends = [main, ...arms].flatMap(({ time }) => time ?? []);
  return {
    ...{ path, config, configText, main, arms },
    missingArms: planned.map(({ name }) => name).filter((name) => !found.includes(name)),
    time: ends.length === 0 ? undefined : new Date(Math.max(...ends.map(Number))),
    memoryMB: Math.max(...[main, ...arms].map(({ memoryMB }) => memoryMB)),
    tokens: readTokens(path),
  };
}

function holdsRun(path: string): boolean {
  const isFile = (name: string) => statSync(join(path, name), { throwIfNoEntry: false })?.isFile() === true;
  try {
    return (
      statSync(path, { throwIfNoEntry: false })?.isDirectory() === true &&
      (isFile("metrics.jsonl") || isRunFolder(path))
    );
  } catch {
    return false;
  }
}

/** The entries of `compare`, each with the name of its arm. */
export function comparedArms(config: JsonObject): { name: string; entry: JsonObject }[] {
  const entries = (Array.isArray(config["compare"]) ? (config["compare"] as unknown[]) : []).filter(isRecord);
  return entries.map((entry) => ({ name: textOf(entry["name"]) ?? "", entry }));
}
