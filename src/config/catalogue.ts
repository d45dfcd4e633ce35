import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { Catalogue, Entry, JsonSchema } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { isModulePath, type MethodChoice } from "./method-choice.ts";
import { nearest } from "./nearest.ts";
import type { KeyPath, Problem } from "./problem.ts";

/** Names of all entries, in the catalogue's order. */
export function namesOf({ entries }: Catalogue<unknown>): string[] {
  return entries.map(({ name }) => name);
}

/** The entry of that name; undefined where there is none. */
export function findEntry<T, E extends Entry<T>>({ entries }: Catalogue<T, E>, name: string): E | undefined {
  return entries.find((entry) => entry.name === name);
}

/** The entry of that name. Throws a UserError that suggests the nearest one. */
export function entryNamed<T, E extends Entry<T>>(catalogue: Catalogue<T, E>, name: string): E {
  const found = findEntry(catalogue, name);
  if (found !== undefined) return found;
  const names = namesOf(catalogue);
  throw new UserError("unknown-method", `There is no ${catalogue.kind} "${name}".${meant(name, names)}`, {
    where: catalogue.key,
    fix: `Choose one of ${names.join(", ")}, or the path of a module of your own (./my-${catalogue.kind}.ts).`,
  });
}

/** Whether the entry of that name has the option; false for a module of the user's own. */
export function hasOption(catalogue: Catalogue<unknown>, method: string, option: string): boolean {
  return option in (findEntry(catalogue, method)?.options ?? {});
}

/** What a configuration is told of a name that no entry has: a sentence without its subject. */
export function unknownMethod(catalogue: Catalogue<unknown>, name: string): string {
  const names = namesOf(catalogue);
  const near = nearest(name, names);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  if (names.length === 0)
    return `is ${JSON.stringify(name)}, but must be the path of a module (./my-${catalogue.kind}.ts)`;
  const own = `or the path of a module (./my-${catalogue.kind}.ts)`;
  return `is ${JSON.stringify(name)}, but must be one of ${names.join(", ")}, ${own}${hint}`;
}

/**
 * JSON Schema (draft-07) of the group that names an entry: `method`, `preset` where it has presets, and its options.
 * @param elsewhere options that the configuration has in another place
 */
export function optionsSchema(
  { name, options, presets }: Entry<unknown>,
  elsewhere: readonly string[] = [],
): JsonSchema {
  const preset = presets && { preset: { enum: Object.keys(presets), default: "recommended" } };
  const properties = Object.entries({ method: { const: name }, ...preset, ...options });
  return {
    type: "object",
    properties: Object.fromEntries(properties.filter(([key]) => !elsewhere.includes(key))),
    required: ["method"],
    additionalProperties: false,
  };
}

const quick = { code: { optimize: false }, validateSchema: false } as const; // for code that runs a few times
const validators = new WeakMap<Entry<unknown>, ValidateFunction>();

/** Says whether a choice fits the entry; compiled when it is first asked for. */
function validatorOf(entry: Entry<unknown>): ValidateFunction {
  const validate =
    validators.get(entry) ?? new Ajv({ ...quick, allErrors: true, strict: true }).compile(optionsSchema(entry));
  validators.set(entry, validate);
  return validate;
}

/** A choice of one entry by its name, with the options that it takes. */
type ChoiceOf<E extends Entry<unknown>, N extends E["name"]> = { method: N } & (Parameters<
  Extract<E, { name: N }>["create"]
> extends []
  ? object
  : NonNullable<Parameters<Extract<E, { name: N }>["create"]>[0]>);

/**
 * Makes what a choice names.
 *
 * @throws UserError for an unknown name (with the nearest one), or one that lists everything wrong with the options
 * @example
 * import { createFrom, rules } from "tokensift/selection";
 *
 * createFrom(rules, { method: "rho1", ratio: 0.3 }).needs; //=> ["nll", "referenceNll"]
 * createFrom(rules, { method: "rho" }); //=> "selection.method: There is no rule \"rho\". Did you mean \"rho1\"?"
 */
export function createFrom<E extends Entry<unknown>, N extends E["name"]>(
  catalogue: Catalogue<unknown, E>,
  choice: ChoiceOf<E, N>,
): ReturnType<Extract<E, { name: N }>["create"]>;
export function createFrom<T>(catalogue: Catalogue<T>, choice: MethodChoice): T;
export function createFrom<T>(catalogue: Catalogue<T>, choice: MethodChoice): T {
  const { method, ...options } = choice;
  const entry = entryNamed(catalogue, method);
  const validate = validatorOf(entry);
  if (validate(choice)) return entry.create(options);
  const known = Object.keys(optionsSchema(entry).properties ?? {}).filter((key) => key !== "method");
  const group = catalogue.key.replace(/\.method$/, "");
  throw new UserError(
    "invalid-option",
    (validate.errors ?? []).map((error) => sentence(error, group, known)).join("\n  "),
    {
      where: `${catalogue.key} ${method}`,
      fix: known.length ? `Its options are: ${known.join(", ")}.` : "It has no options.",
    },
  );
}

/** What a choice of an entry makes, or what is wrong with it; neither for a module of the user's own, not loaded yet. */
export function tryCreate<T>(
  catalogue: Catalogue<T>,
  choice: MethodChoice,
  path: KeyPath,
): { made?: T; problem?: Problem } {
  if (isModulePath(choice.method)) return {};
  try {
    return { made: createFrom(catalogue, choice) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { problem: { path, message: `cannot be: ${error.message}` } };
  }
}

/**
 * The choice that an arm of a comparison stands for which is given by its method alone: under the options that it takes
 * from the main one, so that the arms of a table differ in the method alone. A variant of the main one takes all that it
 * has, too.
 */
export function comparisonArm(catalogue: Catalogue<unknown>, main: MethodChoice, method: string): MethodChoice {
  if (isModulePath(method)) return { method };
  const { takes = [], variantOf, options } = entryNamed(catalogue, method);
  const own = findEntry(catalogue, main.method);
  const preset = (main["preset"] as string | undefined) ?? "recommended";
  const values: Record<string, unknown> = { ...own?.presets?.[preset], ...main };
  const related = own !== undefined && (variantOf ?? method) === (own.variantOf ?? own.name);
  const taken = takes.filter((key) => key in values).map((key) => [key, values[key]] as const);
  const fits = (key: string): boolean => ["method", "preset"].includes(key) || Object.hasOwn(options, key);
  const shared = related ? Object.entries(main).filter(([key]) => fits(key)) : [];
  return { ...Object.fromEntries([...shared, ...taken]), method };
}

function sentence(
  { instancePath, keyword, message = "is wrong", params }: ErrorObject,
  group: string,
  known: readonly string[],
): string {
  const key = [group, ...instancePath.split("/").slice(1)].join(".");
  if (keyword === "additionalProperties") {
    const unknown = String(params["additionalProperty"]);
    return `${key} has no option "${unknown}".${meant(unknown, known)}`;
  }
  if (keyword === "enum") return `${key} must be one of ${(params["allowedValues"] as unknown[]).join(", ")}.`;
  return `${key} ${message}.`;
}

function meant(word: string, candidates: readonly string[]): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? "" : ` Did you mean "${candidate}"?`;
}
