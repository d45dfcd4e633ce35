import type { Catalogue, JsonSchema } from "../contract/index.ts";
import { findEntry, optionsSchema, unknownMethod } from "./catalogue.ts";
import { isModulePath } from "./method-choice.ts";
import { nearest } from "./nearest.ts";
import { keyName, type KeyPath, type Problem } from "./problem.ts";
import { fits } from "./schema.ts";

/** A catalogue whose entries a configuration names, wherever its schema has a text of the catalogue's kind as format. */
export interface Methods {
  readonly catalogue: Catalogue<unknown>;
  /** The entry where a group that may leave `method` out does so. */
  readonly defaultMethod?: string;
  /** Options that the configuration has in another place. */
  readonly elsewhere?: readonly string[];
}

/** A group whose schema depends on the method it names; its defaults are not filled in. */
export interface MethodGroup {
  readonly path: KeyPath;
  readonly schema: JsonSchema;
}

/**
 * Finds the groups of a configuration that name an entry, and the names that none has. Fills in the method of a group
 * that leaves it out, in place.
 */
export function methodGroups(
  methods: readonly Methods[],
  schema: JsonSchema,
  value: unknown,
): { groups: MethodGroup[]; problems: Problem[] } {
  const groups: MethodGroup[] = [];
  const problems: Problem[] = [];
  const visitGroup = (place: Place, here: Record<string, unknown>, path: KeyPath) => {
    const { catalogue, defaultMethod, elsewhere } = place.methods;
    if (here["method"] === undefined) {
      const typo = Object.keys(here).find((key) => nearest(key, ["method"]) !== undefined);
      const message = `is not a known key; did you mean ${keyName([...path, "method"])}?`;
      if (typo !== undefined) return void problems.push({ path: [...path, typo], message, atKey: true });
      if (place.optional && defaultMethod !== undefined) here["method"] = defaultMethod;
    }
    const { method } = here;
    if (typeof method !== "string") return;
    const known = methodSchema({ catalogue, elsewhere }, method);
    if (known !== undefined) groups.push({ path, schema: known });
    else problems.push({ path: [...path, "method"], message: unknownMethod(catalogue, method) });
  };
  const visit = (form: JsonSchema, here: unknown, path: KeyPath): void => {
    if (form.anyOf !== undefined) {
      const meant = form.anyOf.find((branch) => fits(branch, here));
      if (meant !== undefined) visit(meant, here, path);
      return;
    }
    if (typeof here === "string") {
      const named = methods.find(({ catalogue }) => catalogue.kind === form.format);
      if (named !== undefined && methodSchema(named, here) === undefined)
        problems.push({ path, message: unknownMethod(named.catalogue, here) });
      return;
    }
    if (typeof here !== "object" || here === null) return;
    const place = Array.isArray(here) ? undefined : placeOf(form, methods);
    if (place !== undefined) return visitGroup(place, here as Record<string, unknown>, path);
    for (const [key, inner] of Object.entries(here)) {
      const innerForm = Array.isArray(here) ? form.items : form.properties?.[key];
      if (innerForm !== undefined) visit(innerForm, inner, [...path, Array.isArray(here) ? Number(key) : key]);
    }
  };
  visit(schema, value, []);
  return { groups, problems };
}

/** A schema of a group that names an entry. */
export interface Place {
  readonly methods: Methods;
  /** Whether the group may leave `method` out. */
  readonly optional: boolean;
}

/** Whose entries the group of this schema names; undefined where it names none. */
export function placeOf(schema: JsonSchema, methods: readonly Methods[]): Place | undefined {
  const format = schema.properties?.["method"]?.format;
  const found = format === undefined ? undefined : methods.find(({ catalogue }) => catalogue.kind === format);
  const required = (schema["required"] as readonly string[] | undefined) ?? [];
  return found && { methods: found, optional: !required.includes("method") };
}

/** Schema of the group that names the method; undefined for a name that no entry has. */
export function methodSchema(
  { catalogue, elsewhere }: { catalogue: Catalogue<unknown>; elsewhere?: readonly string[] | undefined },
  method: string,
): JsonSchema | undefined {
  if (isModulePath(method)) return { type: "object" };
  const entry = findEntry(catalogue, method);
  if (entry === undefined) return undefined;
  const known = schemas.get(entry) ?? new Map<string, JsonSchema>();
  schemas.set(entry, known);
  const schema = known.get(String(elsewhere)) ?? optionsSchema(entry, elsewhere);
  known.set(String(elsewhere), schema);
  return schema;
}

/** Schemas given out before, by entry and by the options that are elsewhere: one that is the same is compiled once. */
const schemas = new WeakMap<object, Map<string, JsonSchema>>();
