/**
 * Writes the schemas that editors complete configurations and grids with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { gridSchema } from "../../src/grid/grid-schema.ts";
import { recipes } from "../../src/recipes/list.ts";

/** The files as they have to be, by their names. */
export async function schemaFiles(): Promise<Record<string, string>> {
  const ofRecipes = recipes.map(async ({ name, load }) => {
    const { schema, methods } = (await load()).config;
    return [name, editorSchema(schema, methods)] as const;
  });
  const schemas = [["grid", editorSchema(gridSchema)] as const, ...(await Promise.all(ofRecipes))];
  return Object.fromEntries(
    schemas.map(([name, schema]) => [`${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`]),
  );
}

if (process.argv[1] === import.meta.filename)
  for (const [name, text] of Object.entries(await schemaFiles())) writeFileSync(join(import.meta.dirname, name), text);
