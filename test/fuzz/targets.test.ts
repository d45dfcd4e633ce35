import { test } from "@jest/globals";
import type { Target } from "./target.ts";
import { targets, type TargetName } from "./targets.ts";

/** As many as the suite has time for; `npm run fuzz -- TARGET --inputs 1000000` reads more. */
const inputs: Record<TargetName, number> = {
  verifier: 200, // test/text/answers/generated-answers.test.ts judges 3,000
  template: 300,
  pattern: 300,
  tokenizer: 100,
  json: 2_000,
  yaml: 60,
  arrow: 150,
  "arrow-library": 100,
  parquet: 150,
  "json-lines": 200,
  csv: 300,
  rows: 2_000,
  compressed: 200,
  safetensors: 1_000,
  gguf: 400,
  "model-folder": 40,
  config: 600,
  adapter: 200,
  checkpoint: 100,
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
