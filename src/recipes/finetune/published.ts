import { finetuneSchema } from "./config-schema.ts";
import type { KnownRules } from "./config.ts";
import { sectionSchema } from "./config.ts";
import type { JsonSchema } from "../../contract/index.ts";

/**
 * The fine-tuning schema as a file for editors (JSON Schema draft-07): keys with defaults are optional, and the
 * options of `selection` are those of the rule it names.
 */
export function publishedSchema(rules: KnownRules, defaults: { method: string }): JsonSchema {
  const plain = JSON.parse(JSON.stringify(finetuneSchema)) as JsonSchema;
  const { properties = {}, ...rest } = withoutDefaulted(plain);
  const named = rules.methods.map((method) => ({
    if: { properties: { method: { const: method } }, ...(method === defaults.method ? {} : { required: ["method"] }) },
    then: sectionSchema(method, rules),
  }));
  const selection = { ...properties["selection"], allOf: named };
  return { $schema: "http://json-schema.org/draft-07/schema#", ...rest, properties: { ...properties, selection } };
}

/** Another recipe's schema as a file for editors, with no more than it says. */
export function editorSchema(schema: JsonSchema): JsonSchema {
  const plain = JSON.parse(JSON.stringify(schema)) as JsonSchema;
  return { $schema: "http://json-schema.org/draft-07/schema#", ...withoutDefaulted(plain) };
}

/** The schema with no key required that has a default. */
function withoutDefaulted(schema: JsonSchema): JsonSchema {
  if (schema.properties === undefined) return schema;
  const required = (schema["required"] as string[] | undefined)?.filter((key) => {
    const inner = schema.properties?.[key];
    return inner !== undefined && !("default" in inner);
  });
  const properties = Object.entries(schema.properties).map(([key, inner]) => [key, withoutDefaulted(inner)]);
  const rest = Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== "required"));
  return { ...rest, properties: Object.fromEntries(properties), ...(required?.length ? { required } : {}) };
}
