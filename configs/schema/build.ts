/**
 * Writes the schemas that editors complete configurations with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { recipes } from "../../src/recipes/list.ts";

for (const { name, load } of recipes) {
  const { config } = await load();
  const text = JSON.stringify(editorSchema(config.schema, config.methods), null, 2);
  writeFileSync(new URL(`${name}.schema.json`, import.meta.url), `${text}\n`);
}
