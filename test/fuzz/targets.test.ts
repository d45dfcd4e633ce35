import { test } from "@jest/globals";
import type { Target } from "./target.ts";
import { targets, type TargetName } from "./targets.ts";

/** As many as the suite has time for; `npm run fuzz -- TARGET --inputs 1000000` reads more. */
const inputs: Record<TargetName, number> = {
  verifier: 500, // test/text/answers/generated-answers.test.ts judges 3,000
  template: 1_000,
  pattern: 1_000,
  tokenizer: 300,
  json: 2_000,
  yaml: 150,
  arrow: 400,
  "arrow-library": 300,
  parquet: 300,
  "json-lines": 500,
  csv: 500,
  rows: 2_000,
  compressed: 500,
  safetensors: 2_000,
  gguf: 1_000,
  "model-folder": 100,
  config: 2_000,
  adapter: 500,
  checkpoint: 300,
};

test.each(Object.keys(targets) as TargetName[])(
  "no generated input of %s is read in a wrong way, or fails otherwise than by a refusal",
  async (name) => {
    const target: Target = targets[name]();
    try {
      for (let at = 0; at < inputs[name]; at++) await target.run(7, at);
    } finally {
      await target.close?.();
    }
  },
);
