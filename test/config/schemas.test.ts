import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { schemaFiles } from "../../configs/schema/build.ts";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { recipes } from "../../src/recipes/list.ts";

test.each(recipes)("the schemas of $name are JSON Schema (draft-07)", async ({ load }) => {
  const { schema, methods } = (await load()).config;
  const check = new Ajv();
  for (const each of [schema, editorSchema(schema, methods)])
    expect([check.validateSchema(each), check.errors ?? []]).toEqual([true, []]);
});

test("those that ship are what `npm run build:schema` writes", async () => {
  for (const [name, text] of Object.entries(await schemaFiles()))
    expect([name, readFileSync(join("configs/schema", name), "utf8") === text]).toEqual([name, true]);
});
