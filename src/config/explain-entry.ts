import type { Difference, Entry, JsonSchema } from "../contract/index.ts";
import { valueAt } from "./problem.ts";

/** What `tokensift explain` says about an entry of a catalogue. */
export interface Explanation {
  readonly method: string;
  readonly summary: string;
  readonly formula: string;
  readonly paper?: string;
  /** Names of the presets, where there are some. */
  readonly presets: readonly string[];
  readonly options: readonly { name: string; default: string; description: string }[];
  /** Of a module of the user's own that does not say its options: what to do about it. */
  readonly optionsUnsaid?: string;
  /** Where the paper, its authors' program and this library part. Empty where they do not. */
  readonly differences: readonly Difference[];
  readonly notes: readonly string[];
}

/**
 * Everything known of an entry, in words.
 */
export function explain(entry: Entry<unknown>): Explanation {
  const { name, summary, formula, paper, options, presets = {}, differences = [], notes = [] } = entry;
  return {
    method: name,
    summary,
    formula,
    ...(paper === undefined ? {} : { paper }),
    presets: Object.keys(presets),
    options: Object.entries(options).flatMap(([key, schema]) => describeOption(key, schema, presets)),
    differences,
    notes,
  };
}

/** One line per option; an object's properties become `name.property`. */
function describeOption(
  name: string,
  schema: JsonSchema,
  presets: object,
  needed = false,
): Explanation["options"][number][] {
  if (schema.properties) {
    const required = (schema["required"] ?? []) as readonly string[];
    return Object.entries(schema.properties).flatMap(([key, inner]) =>
      describeOption(`${name}.${key}`, inner, presets, required.includes(key)),
    );
  }
  const byPreset = Object.entries(presets).map(
    ([preset, values]) => [preset, valueAt(values, name.split("."))] as const,
  );
  const known = byPreset.filter(([, value]) => value !== undefined);
  const stated = schema["default"] ?? known[0]?.[1] ?? (needed ? "none, it must be given" : "off");
  const differs = known.some(([, value]) => value !== stated);
  const text = differs ? known.map(([preset, value]) => `${String(value)} (${preset})`).join(", ") : String(stated);
  return [{ name, default: text, description: String(schema.description) }];
}
