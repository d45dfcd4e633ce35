import { expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { recipes } from "../../src/recipes/list.ts";

test.each(recipes)("the schemas of $name are JSON Schema (draft-07)", async ({ load }) => {
  const { schema, methods } = (await load()).config;
  const check = new Ajv();
  for (const each of [schema, editorSchema(schema, methods)])
    expect([check.validateSchema(each), check.errors ?? []]).toEqual([true, []]);
});
