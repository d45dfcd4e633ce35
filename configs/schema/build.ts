/**
 * Writes the schemas that editors complete configurations with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { attentionGateSchema } from "../../src/recipes/attention-gate/config-schema.ts";
import { cdpoSchema } from "../../src/recipes/cdpo/config-schema.ts";
import { editorSchema, publishedSchema } from "../../src/recipes/finetune/published.ts";
import { orealSchema } from "../../src/recipes/oreal/config-schema.ts";
import { knownRules } from "../../src/recipes/finetune/known-rules.ts";

const recipes = { finetune: "full", sstoken: "sstoken" };

const schemas = {
  ...Object.fromEntries(
    Object.entries(recipes).map(([recipe, method]) => [recipe, publishedSchema(knownRules, { method })]),
  ),
  "attention-gate": editorSchema(attentionGateSchema),
  cdpo: editorSchema(cdpoSchema),
  oreal: editorSchema(orealSchema),
};

for (const [recipe, schema] of Object.entries(schemas))
  writeFileSync(new URL(`${recipe}.schema.json`, import.meta.url), `${JSON.stringify(schema, null, 2)}\n`);
