/**
 * Writes the schemas that editors complete configurations with (`npm run build:schema`). A configuration names its
 * schema in a comment: `# yaml-language-server: $schema=../schema/sstoken.schema.json`
 */
import { writeFileSync } from "node:fs";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { attentionGateDefinition } from "../../src/recipes/attention-gate/config.ts";
import { cdpoDefinition } from "../../src/recipes/cdpo/config.ts";
import { finetuneDefinition } from "../../src/recipes/finetune/config.ts";
import { orealDefinition } from "../../src/recipes/oreal/config.ts";
import { orealValues } from "../../src/recipes/oreal/objective.ts";

const definitions = {
  finetune: finetuneDefinition({ method: "full" }),
  sstoken: finetuneDefinition({ method: "sstoken" }),
  "attention-gate": attentionGateDefinition(),
  cdpo: cdpoDefinition(),
  oreal: orealDefinition(orealValues),
};

for (const [recipe, { schema, methods }] of Object.entries(definitions)) {
  const text = JSON.stringify(editorSchema(schema, methods), null, 2);
  writeFileSync(new URL(`${recipe}.schema.json`, import.meta.url), `${text}\n`);
}
