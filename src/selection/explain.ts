import { UserError } from "../errors.ts";
import { catalogue } from "./catalogue.ts";
import { type Difference, ssTokenDifferences, ssTokenNotes } from "./ssTokenDifferences.ts";

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
  const { summary, formula, paper, options } = catalogue[method]!;
  const isSsToken = method === "sstoken";
  return {
    method,
    summary,
    formula,
    ...(paper === undefined ? {} : { paper }),
    options: Object.entries(options).flatMap(([name, schema]) => describeOption(name, schema)),
    differences: isSsToken ? ssTokenDifferences : [],
    notes: isSsToken ? ssTokenNotes : [],
  };
}

/** One line per option; an object's properties become `name.property`. */
function describeOption(name: string, schema: Readonly<Record<string, unknown>>): Explanation["options"][number][] {
  const properties = schema["properties"] as Record<string, Record<string, unknown>> | undefined;
  if (properties) return Object.entries(properties).flatMap(([key, inner]) => describeOption(`${name}.${key}`, inner));
  const value = schema["default"];
  return [{ name, default: value === undefined ? "off" : String(value), description: String(schema["description"]) }];
}
