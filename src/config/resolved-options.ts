import type { Catalogue, JsonSchema } from "../contract/index.ts";
import { findEntry } from "./catalogue.ts";
import type { MethodChoice } from "./method-choice.ts";
import { shown, valueAt } from "./problem.ts";

/**
 * The options that an entry is made with: those that are given, else the preset's, else the schema's defaults. One that
 * is off has no line. Of a module of the user's own, those that are given.
 * @returns by name, an object's as `warmup.samples`
 */
export function resolvedOptions(catalogue: Catalogue<unknown>, choice: MethodChoice): Record<string, unknown> {
  const { method, ...given } = choice;
  const entry = findEntry(catalogue, method);
  if (entry === undefined) return given;
  const preset = (given["preset"] as string | undefined) ?? "recommended";
  const values = [given, entry.presets?.[preset]];
  const resolved = optionNames(entry.options).flatMap(([name, schema]) => {
    const value = values.map((source) => valueAt(source, name.split("."))).find((value) => value !== undefined);
    const known = value ?? schema["default"];
    return known === undefined ? [] : [[name, known] as const];
  });
  return { ...(entry.presets && { preset }), ...Object.fromEntries(resolved) };
}

/**
 * What each arm is trained by, a line for each: `  sstoken: preset recommended, ratio 0.6, gamma 0.5`.
 * @param elsewhere options that the configuration has in another place
 */
export function optionLines(
  catalogue: Catalogue<unknown>,
  arms: readonly { name: string; choice: MethodChoice }[],
  elsewhere: readonly string[] = [],
): string[] {
  return arms.map(({ name, choice }) => {
    const options = Object.entries(resolvedOptions(catalogue, choice))
      .filter(([key]) => !elsewhere.includes(key.split(".")[0]!))
      .map(([key, value]) => `${key} ${onOneLine(value)}`);
    const method = name === choice.method ? [] : [choice.method];
    return `  ${name}: ${[...method, ...options].join(", ") || "no options"}`;
  });
}

const longest = 80;

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(", ")}]`;
  if (typeof value !== "string") return shown(value);
  const line = value.trim().replaceAll(/\s+/g, " ");
  return line.length > longest ? `${JSON.stringify(line.slice(0, longest))}…` : line;
}

/** The options of a schema, those inside an object one by one. */
function optionNames(options: Readonly<Record<string, JsonSchema>>, prefix = ""): [string, JsonSchema][] {
  return Object.entries(options).flatMap(([key, schema]): [string, JsonSchema][] =>
    schema.properties ? optionNames(schema.properties, `${prefix}${key}.`) : [[prefix + key, schema]],
  );
}
