import type { ErrorObject } from "ajv";
import { Ajv } from "ajv";
import { nearest } from "./nearest.ts";
import type { KeyPath, Problem } from "./problem.ts";
import { keyName, shown } from "./problem.ts";
import type { JsonSchema } from "../contract/index.ts";
import { describe, fits, largestInteger, pathFormats } from "./schema.ts";

const formats = Object.fromEntries(pathFormats.map((format) => [format, true as const]));
// Code that runs once need not be optimized, and a test checks the schemas: each start is a tenth of a second shorter.
const quick = { code: { optimize: false }, validateSchema: false } as const;
const checkers = {
  checking: new Ajv({ ...quick, allErrors: true, strict: true, verbose: true, formats }),
  completing: new Ajv({ ...quick, allErrors: true, strict: true, verbose: true, formats, useDefaults: true }),
};

/**
 * Says everything that is wrong with a value.
 * @param mode `completing` also fills in the schema's defaults, in place
 * @param base where the value stands in the whole configuration
 * @param everyKey names of the configuration's keys, to find where a key in the wrong group belongs
 */
export function validate(
  mode: keyof typeof checkers,
  schema: JsonSchema,
  value: unknown,
  base: KeyPath = [],
  everyKey: readonly string[] = [],
): Problem[] {
  const check = checkers[mode].compile(schema);
  if (check(value)) return [];
  const seen = new Set<string>();
  return narrowed(check.errors ?? []).flatMap((error) => {
    const problem = toProblem(error, base, value, everyKey);
    const name = `${keyName(problem.path)} ${error.keyword === "additionalProperties"}`;
    if (seen.has(name)) return [];
    seen.add(name);
    return [problem];
  });
}

/** Where a value may take several forms, keeps the complaints of the form that was meant, or one that names all. */
function narrowed(errors: readonly ErrorObject[]): ErrorObject[] {
  let kept = [...errors];
  for (const choice of errors.filter(({ keyword }) => keyword === "anyOf")) {
    if (!kept.includes(choice)) continue;
    const forms = choice.schema as JsonSchema[];
    const meant = forms.flatMap((form, index) => (fits(form, choice.data) ? [index] : []));
    const inForm = ({ schemaPath, instancePath }: ErrorObject, index: number) =>
      schemaPath.startsWith(`${choice.schemaPath}/${index}/`) &&
      `${instancePath}/`.startsWith(`${choice.instancePath}/`);
    const only = meant.length === 1 ? meant[0] : undefined;
    kept = kept.filter((error) => {
      if (error === choice) return only === undefined;
      const within = forms.findIndex((_, index) => inForm(error, index));
      return within === -1 || within === only;
    });
  }
  return kept;
}

function toProblem(error: ErrorObject, base: KeyPath, root: unknown, everyKey: readonly string[]): Problem {
  const path = [...base, ...pointerPath(error.instancePath, root)];
  const schema = error.parentSchema as JsonSchema;
  if (error.keyword === "additionalProperties") {
    const key = String(error.params["additionalProperty"]);
    return { path: [...path, key], message: unknownKey(key, path, schema, everyKey), atKey: true };
  }
  if (error.keyword === "required") {
    const key = String(error.params["missingProperty"]);
    const wanted = schema.properties?.[key];
    return {
      path: [...path, key],
      message: `is missing; expected ${wanted === undefined ? "a value" : describe(wanted)}`,
    };
  }
  return { path, message: `must be ${describe(schema)}${finer(error)}, got ${shown(error.data)}${meantWord(error)}` };
}

function unknownKey(key: string, path: KeyPath, schema: JsonSchema, everyKey: readonly string[]): string {
  const here = Object.keys(schema.properties ?? {});
  const near = nearest(key, here);
  if (near !== undefined) return `is not a known key; did you mean ${keyName([...path, near])}?`;
  const isIt = (name: string): boolean => name.split(".").at(-1)?.toLowerCase() === key.toLowerCase();
  const below = keysOf(schema).find(isIt);
  if (below !== undefined) return `is not a known key; did you mean ${keyName([...path, ...below.split(".")])}?`;
  const depth = (name: string): number => name.split(".").length;
  const [elsewhere] = everyKey.filter(isIt).toSorted((one, two) => depth(one) - depth(two));
  if (elsewhere !== undefined) return `is not a known key; did you mean ${elsewhere}?`;
  const where = path.length === 0 ? "the top level" : keyName(path);
  return `is not a known key; ${where} has ${here.join(", ")}`;
}

/** Limits that `describe` does not put into words. */
function finer({ keyword, params }: ErrorObject): string {
  if (keyword === "minItems") return ` with at least ${params["limit"]}`;
  if (keyword === "maxItems") return ` with at most ${params["limit"]}`;
  if (keyword === "minLength") return " that is not empty";
  if (keyword === "maximum" && params["limit"] >= largestInteger) return ` and at most ${params["limit"]}`;
  if (keyword === "uniqueItems") return " without repetitions";
  return keyword === "pattern" ? ` of the form ${params["pattern"]}` : "";
}

function meantWord({ data, parentSchema }: ErrorObject): string {
  const near = typeof data === "string" ? nearest(data, wordsOf(parentSchema as JsonSchema)) : undefined;
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** The words that a value may be. */
function wordsOf({ enum: values = [], anyOf = [] }: JsonSchema): string[] {
  return [...values.filter((word) => typeof word === "string"), ...anyOf.flatMap(wordsOf)];
}

/** A JSON pointer as keys; a step into a list is a number. */
function pointerPath(pointer: string, root: unknown): KeyPath {
  let value = root;
  return pointer
    .split("/")
    .slice(1)
    .map((part) => {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      const step = Array.isArray(value) ? Number(key) : key;
      value = (value as Record<string | number, unknown> | undefined)?.[step];
      return step;
    });
}

/** Full names of every key of a schema, groups included: `training`, `training.steps`. */
export function keysOf(schema: JsonSchema, prefix = ""): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => [
    prefix + key,
    ...keysOf(inner, `${prefix}${key}.`),
  ]);
}
