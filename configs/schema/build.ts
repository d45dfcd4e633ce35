/**
 * Writes the schemas that editors complete configurations with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { publishedSchema } from "../../src/config/index.ts";
import { knownRules } from "../../src/selection/knownRules.ts";

const recipes = { finetune: "full", sstoken: "sstoken" };

for (const [recipe, method] of Object.entries(recipes)) {
  const schema = publishedSchema(knownRules, { method });
  writeFileSync(new URL(`${recipe}.schema.json`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
}
