import type { TSchema, TUnsafe } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import type { JsonSchema } from "../contract/index.ts";
import { isRecord } from "../system/is-record.ts";

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[], options: { description: string; default?: T }) {
  return Type.Unsafe<T>({ type: "string", enum: [...words], ...options }) as TUnsafe<T>;
}

/** A group of keys; unknown ones are refused. With `default: {}` the group may be left out and gets its defaults. */
export function group<T extends Record<string, TSchema>>(keys: T, options: { description: string; default?: object }) {
  return Type.Object(keys, { additionalProperties: false, ...options });
}

/** A file or folder that must be there; relative to the configuration file, or with `--set` to the current folder. */
export function existingPath(description: string) {
  return Type.String({ format: "existing-path", minLength: 1, description });
}

/** A file or folder that will be written. */
export function outputPath(description: string) {
  return Type.String({ format: "path", minLength: 1, description });
}

/** Formats whose text names an entry of a catalogue of that kind, or the path of a module (`./mine.ts`). */
export const methodFormats = ["rule", "form", "score", "reward", "metric"] as const;
export type MethodFormat = (typeof methodFormats)[number];

/** The name of a catalogue's entry, or the path of a module of the user's own. */
export function methodName(kind: MethodFormat, description: string) {
  return Type.String({ format: kind, minLength: 1, description });
}

/** A group that names a method and holds its options, whose schema is the entry's own. */
export function methodOptions(kind: MethodFormat, description: string) {
  const method = methodName(kind, `A ${kind}'s name, or the path of a module.`);
  return Type.Object({ method }, { additionalProperties: true, description });
}

/** The same, where the method may be left out. */
export function mainMethod(kind: MethodFormat, description: string) {
  const method = Type.Optional(methodName(kind, `A ${kind}'s name, or the path of a module.`));
  return Type.Object({ method }, { additionalProperties: true, default: {}, description });
}

/** Formats whose text is a path, or may be one. */
export const pathFormats = ["path", "existing-path", ...methodFormats] as const;

/** What a schema asks for, in words: "a whole number of at least 1", "one of cpu, webgpu". */
export function describe(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined)
    return schema.enum.length === 1 ? String(schema.enum[0]) : `one of ${schema.enum.join(", ")}`;
  if (schema.anyOf !== undefined) return schema.anyOf.map(describe).join(", or ");
  switch (schema.type) {
    case "integer":
      return `a whole number${range(schema)}`;
    case "number":
      return `a number${range(schema)}`;
    case "boolean":
      return "true or false";
    case "array":
      return schema.items === undefined ? "a list" : `a list (each: ${describe(schema.items)})`;
    case "object":
      return "a group of keys";
    default:
      return textName(schema.format);
  }
}

/** The bound of every whole number, which needs no mention. */
export const largestInteger = 2 ** 31 - 1;

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const parts: string[] = [];
  if (exclusiveMinimum !== undefined) parts.push(`above ${exclusiveMinimum}`);
  if (minimum !== undefined) parts.push(`at least ${minimum}`);
  if (exclusiveMaximum !== undefined) parts.push(`below ${exclusiveMaximum}`);
  if (maximum !== undefined && maximum < largestInteger) parts.push(`at most ${maximum}`);
  return parts.length === 0 ? "" : `, ${parts.join(" and ")}`;
}

/** Whether a text of this format names an entry of a catalogue. */
export function isMethodFormat(format: string | undefined): boolean {
  return (methodFormats as readonly (string | undefined)[]).includes(format);
}

function textName(format: string | undefined): string {
  if (format === "existing-path") return "the path of a file or folder";
  if (format === "path") return "a path";
  return isMethodFormat(format) ? `the name of a ${format} or the path of its file` : "text";
}

/** Whether a value is of the kind a schema describes; of its finer limits a pattern alone is checked. */
export function fits(schema: JsonSchema, value: unknown): boolean {
  if (schema.const !== undefined) return schema.const === value;
  if (schema.enum !== undefined) return schema.enum.includes(value);
  if (schema.anyOf !== undefined) return schema.anyOf.some((branch) => fits(branch, value));
  if (schema.type === "array") return Array.isArray(value);
  if (schema.type === "object") return isRecord(value);
  if (schema.type === "integer" || schema.type === "number") return typeof value === "number";
  const { pattern } = schema;
  if (typeof value === "string" && typeof pattern === "string" && !new RegExp(pattern).test(value)) return false;
  return schema.type === undefined || typeof value === schema.type;
}
