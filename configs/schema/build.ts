/**
 * Writes the schemas that editors complete configurations and grids with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { gridSchema } from "../../src/grid/grid-schema.ts";
import { recipes } from "../../src/recipes/list.ts";
import type { JsonSchema } from "../../src/contract/index.ts";

const write = (name: string, schema: JsonSchema): void =>
  writeFileSync(new URL(`${name}.schema.json`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);

write("grid", editorSchema(gridSchema));
for (const { name, load } of recipes) {
  const { config } = await load();
  write(name, editorSchema(config.schema, config.methods));
}
