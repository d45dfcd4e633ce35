import type { JsonSchema } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { catalogue } from "./catalogue.ts";
import { type Difference, ssTokenDifferences, ssTokenNotes } from "./sstoken-differences.ts";

/** What `tokensift explain` says about a rule. */
export interface Explanation {
  readonly method: string;
  readonly summary: string;
  readonly formula: string;
  readonly paper?: string;
  readonly options: readonly { name: string; default: string; description: string }[];
  /** Where the paper, its authors' program and this library part. Empty where they do not. */
  readonly differences: readonly Difference[];
  readonly notes: readonly string[];
}

/** Everything known of a catalogue rule. Throws a UserError for a name that is not in the catalogue. */
export function explain(method: string): Explanation {
  if (!Object.hasOwn(catalogue, method)) {
    throw new UserError(`There is no rule "${method}".`, {
      fix: `Choose one of ${Object.keys(catalogue).join(", ")}.`,
    });
  }
  const { summary, formula, paper, options, presets } = catalogue[method]!;
  const isSsToken = method === "sstoken";
  return {
    method,
    summary,
    formula,
    ...(paper === undefined ? {} : { paper }),
    options: Object.entries(options).flatMap(([name, schema]) => describeOption(name, schema, presets ?? {})),
    differences: isSsToken ? ssTokenDifferences : [],
    notes: isSsToken ? ssTokenNotes : [],
  };
}

/** One line per option; an object's properties become `name.property`. */
function describeOption(name: string, schema: JsonSchema, presets: object): Explanation["options"][number][] {
  if (schema.properties) {
    return Object.entries(schema.properties).flatMap(([key, inner]) =>
      describeOption(`${name}.${key}`, inner, presets),
    );
  }
  const byPreset = Object.entries(presets).map(([preset, values]) => [preset, valueAt(values, name)] as const);
  const known = byPreset.filter(([, value]) => value !== undefined);
  const stated = schema["default"] ?? known[0]?.[1] ?? "off";
  const differs = known.some(([, value]) => value !== stated);
  const text = differs ? known.map(([preset, value]) => `${String(value)} (${preset})`).join(", ") : String(stated);
  return [{ name, default: text, description: String(schema.description) }];
}

/** `valueAt({ warmup: { samples: 3 } }, "warmup.samples")` is 3. */
function valueAt(values: unknown, name: string): unknown {
  return name.split(".").reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], values);
}
