import { expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import { attentionGateDefinition } from "../../src/recipes/attention-gate/config.ts";
import { cdpoDefinition } from "../../src/recipes/cdpo/config.ts";
import { finetuneDefinition } from "../../src/recipes/finetune/config.ts";
import { orealDefinition } from "../../src/recipes/oreal/config.ts";
import { orealValues } from "../../src/recipes/oreal/objective.ts";
import { editorSchema } from "../../src/config/editor-schema.ts";

const definitions = {
  "attention-gate": attentionGateDefinition(),
  cdpo: cdpoDefinition(),
  finetune: finetuneDefinition({ method: "full" }),
  oreal: orealDefinition(orealValues),
};

test.each(Object.entries(definitions))("the schemas of %s are JSON Schema (draft-07)", (_, { schema, methods }) => {
  const check = new Ajv();
  for (const each of [schema, editorSchema(schema, methods)])
    expect([check.validateSchema(each), check.errors ?? []]).toEqual([true, []]);
});
