import type { JsonSchema } from "../contract/index.ts";
import { isModulePath } from "./method-choice.ts";
import { keyName, type KeyPath } from "./problem.ts";
import { fits, isMethodFormat } from "./schema.ts";

/** A file of the user's own that decides what a run computes. */
export interface OwnFile {
  /** The key that names it: `rewards[0].method`. */
  readonly key: string;
  /** Absolute. */
  readonly path: string;
}

/** The modules that a valid configuration names, in its order; those of other arms (`compare`) are theirs. */
export function moduleFiles(schema: JsonSchema, config: unknown): OwnFile[] {
  return pathsNamed(schema, config, (format, text) => isMethodFormat(format) && isModulePath(text));
}

/** Files and folders that a valid configuration reads: models, adapters, data, stages. */
export function existingPaths(schema: JsonSchema, config: unknown): OwnFile[] {
  return pathsNamed(schema, config, (format) => format === "existing-path");
}

function pathsNamed(
  schema: JsonSchema,
  config: unknown,
  accepts: (format: string | undefined, text: string) => boolean,
  path: KeyPath = [],
): OwnFile[] {
  if (schema.anyOf !== undefined) {
    const meant = schema.anyOf.find((branch) => fits(branch, config));
    return meant === undefined ? [] : pathsNamed(meant, config, accepts, path);
  }
  if (typeof config === "string") return accepts(schema.format, config) ? [{ key: keyName(path), path: config }] : [];
  if (typeof config !== "object" || config === null) return [];
  return Object.entries(config).flatMap(([key, inner]) => {
    const form = Array.isArray(config) ? schema.items : schema.properties?.[key];
    if (form === undefined || (path.length === 0 && key === "compare")) return [];
    return pathsNamed(form, inner, accepts, [...path, Array.isArray(config) ? Number(key) : key]);
  });
}
