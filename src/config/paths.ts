import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, resolve } from "node:path";
import { isPattern, matchingFiles } from "../system/glob.ts";
import { downloadHint } from "../system/hub-id.ts";
import { nearest } from "./nearest.ts";
import type { KeyPath, Problem } from "./problem.ts";
import type { JsonSchema } from "../contract/index.ts";
import { isModulePath } from "./method-choice.ts";
import { fits, isMethodFormat } from "./schema.ts";

/** What paths are looked for with. */
export interface PathOptions {
  /** The folder that a relative path at this key starts from. */
  readonly folderOf: (path: KeyPath) => string;
  /** What files of data are read, for advice to fetch some. */
  readonly readable?: string;
  /** Absolute paths that count as there. */
  readonly made?: readonly string[];
}

/**
 * Makes the paths of a valid configuration absolute (in place).
 * @returns what should be there and is not
 */
export function resolvePaths(
  schema: JsonSchema,
  value: unknown,
  base: KeyPath,
  { folderOf, readable, made = [] }: PathOptions,
): Problem[] {
  const problems: Problem[] = [];
  const visit = (form: JsonSchema, here: unknown, path: KeyPath, alternatives: readonly unknown[]): unknown => {
    if (form.anyOf !== undefined) {
      const meant = form.anyOf.find((branch) => fits(branch, here));
      const words = form.anyOf.flatMap((branch) => branch.enum ?? []);
      return meant === undefined ? here : visit(meant, here, path, words);
    }
    if (typeof here === "string") {
      if (!isPath(form, here)) return here;
      const full = here.startsWith("~/") ? resolve(homedir(), here.slice(2)) : resolve(folderOf(path), here);
      const isThere =
        form.format === "path" || made.includes(full) || existsSync(full) || (path[0] === "data" && fitsFiles(full));
      if (!isThere)
        problems.push({ path, message: missing(here, full, alternatives, fetchHint(here, full, path, readable)) });
      return full;
    }
    if (typeof here !== "object" || here === null) return here;
    for (const [key, inner] of Object.entries(here)) {
      const step = Array.isArray(here) ? Number(key) : key;
      const innerForm = Array.isArray(here) ? form.items : form.properties?.[key];
      if (innerForm === undefined) continue;
      (here as Record<string | number, unknown>)[step] = visit(innerForm, inner, [...path, step], []);
    }
    return here;
  };
  visit(schema, value, base, []);
  return problems;
}

/** Whether it is a pattern that files fit, as data may be named. */
function fitsFiles(path: string): boolean {
  return isPattern(path) && matchingFiles(path).length > 0;
}

function isPath(schema: JsonSchema, text: string): boolean {
  if (isMethodFormat(schema.format)) return isModulePath(text);
  return schema.format === "path" || schema.format === "existing-path";
}

/** How to fetch what may be an id on a hub. */
function fetchHint(given: string, full: string, path: KeyPath, readable: string | undefined): string | undefined {
  if (path[0] !== "data") return downloadHint(given, "model", full);
  const hint = downloadHint(given, "data", full);
  return hint === undefined || readable === undefined ? hint : `${hint} ${readable}`;
}

function missing(given: string, full: string, words: readonly unknown[], fetch: string | undefined): string {
  const choices = words.filter((word) => typeof word === "string");
  const word = nearest(given, choices) ?? neighbour(full);
  const hint = word === undefined ? "" : `; did you mean ${word}?`;
  const also = choices.length === 0 ? "" : ` (and is not one of ${choices.join(", ")})`;
  return `is ${JSON.stringify(given)}, and there is no ${full}${also}${hint}${fetch === undefined ? "" : `. ${fetch}`}`;
}

/** The entry of the same folder whose name is nearest. */
function neighbour(full: string): string | undefined {
  try {
    return nearest(basename(full), readdirSync(dirname(full)));
  } catch {
    return undefined;
  }
}
