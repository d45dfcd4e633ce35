import type { JsonSchema } from "../contract/index.ts";
import { namesOf } from "./catalogue.ts";
import { methodSchema, placeOf, type Methods } from "./methods.ts";

/**
 * A configuration's schema as a file for editors (JSON Schema draft-07): keys with defaults are optional, a method is
 * one of the catalogue's names or a module's path, and the options beside it are those of the entry it names.
 */
export function editorSchema(schema: JsonSchema, methods: readonly Methods[] = []): JsonSchema {
  const plain = JSON.parse(JSON.stringify(schema)) as JsonSchema;
  return { $schema: "http://json-schema.org/draft-07/schema#", ...published(plain, methods) };
}

function published(schema: JsonSchema, methods: readonly Methods[]): JsonSchema {
  const { properties, items, anyOf, ...rest } = schema;
  const inner = (each: JsonSchema): JsonSchema => published(each, methods);
  const named = methods.find(({ catalogue }) => schema.type === "string" && catalogue.kind === schema.format);
  return {
    ...withoutDefaulted(rest, properties),
    ...(named && namedOrOwn(namesOf(named.catalogue))),
    ...(anyOf && { anyOf: anyOf.map(inner) }),
    ...(items && { items: inner(items) }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, inner(each)])),
    }),
    ...optionsByMethod(schema, methods),
  };
}

/** A text that is one of the names, or the path of a module. */
function namedOrOwn(names: readonly string[]): JsonSchema {
  const own = { pattern: "\\.[mc]?[jt]s$" };
  return names.length === 0 ? own : { anyOf: [{ enum: names }, own] };
}

function optionsByMethod(schema: JsonSchema, methods: readonly Methods[]): JsonSchema {
  const place = placeOf(schema, methods);
  if (place === undefined) return {};
  const { catalogue, defaultMethod } = place.methods;
  const allOf = namesOf(catalogue).map((method) => ({
    if: {
      properties: { method: { const: method } },
      ...(place.optional && method === defaultMethod ? {} : { required: ["method"] }),
    },
    then: withoutRequired(methodSchema(place.methods, method)!),
  }));
  return { allOf };
}

const withoutRequired = ({ required: _, ...schema }: JsonSchema & { required?: unknown }): JsonSchema => schema;

/** The schema's other keywords, with no key required that has a default. */
function withoutDefaulted(rest: JsonSchema & { required?: unknown }, properties: JsonSchema["properties"]): JsonSchema {
  const { required, ...others } = rest;
  const kept = (required as string[] | undefined)?.filter((key) => {
    const inner = properties?.[key];
    return inner !== undefined && !("default" in inner);
  });
  return { ...others, ...(kept?.length ? { required: kept } : {}) };
}
