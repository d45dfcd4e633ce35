import { resolve } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import type { SelectionChoice } from "./choice.ts";
import { nearest } from "../config/nearest.ts";
import { isRulePath } from "../config/schema.ts";
import type { JsonSchema } from "../contract/index.ts";
import type { TokenRule } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { catalogue, type CatalogueEntry } from "./catalogue.ts";
import type { Preset } from "./sstoken-options.ts";
import { loadRule } from "./load-rule.ts";

/** The JSON Schema (draft-07) of one catalogue rule's options, `method` and `preset` included. */
export function optionsSchema(method: string): JsonSchema {
  const { options, presets } = entryOf(method);
  const preset = presets && { preset: { enum: Object.keys(presets), default: "recommended" } };
  return {
    type: "object",
    properties: { method: { const: method }, ...preset, ...options },
    required: ["method"],
    additionalProperties: false,
  };
}

/** The catalogue rule that the section names. Throws one UserError that lists everything wrong with its options. */
export function ruleFromConfig(selection: SelectionChoice): TokenRule {
  const { method, ...options } = selection;
  const schema = optionsSchema(method);
  const quick = { code: { optimize: false }, validateSchema: false } as const; // for code that runs once
  const validate = new Ajv({ ...quick, allErrors: true, strict: true }).compile(schema);
  if (validate(selection)) return catalogue[method]!.create(options);
  const known = Object.keys(schema.properties ?? {}).filter((key) => key !== "method");
  throw new UserError((validate.errors ?? []).map((error) => sentence(error, known)).join("\n  "), {
    where: `selection.method ${method}`,
    fix: known.length ? `Its options are: ${known.join(", ")}.` : "It has no options.",
  });
}

/**
 * The rule that the section names: from the catalogue, or a module of the user's own.
 *
 * @param folder what a module's path is relative to, for a config its own folder
 */
export async function selectRule(selection: SelectionChoice, folder: string): Promise<TokenRule> {
  const { method, ...options } = selection;
  return isRulePath(method) ? loadRule(resolve(folder, method), options) : ruleFromConfig(selection);
}

/**
 * The section of a comparison arm: another rule under the options it shares with this one (ratio, rounding,
 * keepEndOfTurn, divideBy), so that the arms of a table differ in the choice of tokens alone.
 */
export function comparisonArm(selection: SelectionChoice, method: string): SelectionChoice {
  const presets = Object.hasOwn(catalogue, selection.method) ? catalogue[selection.method]!.presets : undefined;
  const preset = (selection["preset"] ?? "recommended") as Preset;
  const values: Record<string, unknown> = { ...presets?.[preset], ...selection };
  const weighs = !("ratio" in entryOf(method).options) && method !== "full";
  const shared = weighs ? [] : Object.keys(entryOf(method).options).filter((key) => sharedOptions.includes(key));
  return { method, ...Object.fromEntries(shared.filter((key) => key in values).map((key) => [key, values[key]])) };
}

const sharedOptions = ["ratio", "rounding", "keepEndOfTurn", "divideBy"];

function entryOf(method: string): CatalogueEntry {
  if (Object.hasOwn(catalogue, method)) return catalogue[method]!;
  throw new UserError(`There is no rule "${method}".${meant(method, Object.keys(catalogue))}`, {
    where: "selection.method",
    fix: `Choose one of ${Object.keys(catalogue).join(", ")}, or the path of a module of your own (./my-rule.ts).`,
  });
}

function sentence({ instancePath, keyword, message = "is wrong", params }: ErrorObject, known: string[]): string {
  const key = ["selection", ...instancePath.split("/").slice(1)].join(".");
  if (keyword === "additionalProperties") {
    const unknown = String(params["additionalProperty"]);
    return `${key} has no option "${unknown}".${meant(unknown, known)}`;
  }
  if (keyword === "enum") return `${key} must be one of ${(params["allowedValues"] as unknown[]).join(", ")}.`;
  return `${key} ${message}.`;
}

function meant(word: string, candidates: string[]): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? "" : ` Did you mean "${candidate}"?`;
}
