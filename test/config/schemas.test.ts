import { expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import {
  attentionGateDefinition,
  cdpoDefinition,
  finetuneDefinition,
  orealDefinition,
} from "../../src/config/index.ts";
import { orealValues } from "../../src/experiment/oreal/index.ts";
import { knownRules } from "../../src/selection/known-rules.ts";

const definitions = {
  "attention-gate": attentionGateDefinition(),
  cdpo: cdpoDefinition({ dpoBeta: { paper: 1, released: 0.1, recommended: 1 } }),
  finetune: finetuneDefinition(knownRules, { method: "full" }),
  oreal: orealDefinition(orealValues),
};

test.each(Object.entries(definitions))("the schemas of %s are JSON Schema (draft-07)", (_, { schema, sections }) => {
  const check = new Ajv();
  for (const each of [schema, ...sections({}).sections.map((section) => section.schema)])
    expect([check.validateSchema(each), check.errors ?? []]).toEqual([true, []]);
});
