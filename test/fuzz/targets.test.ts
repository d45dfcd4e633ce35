import { test } from "@jest/globals";
import { targets, type TargetName } from "./targets.ts";

/** As many as the suite has time for; `npm run fuzz -- TARGET --inputs 1000000` reads more. */
const inputs: Record<TargetName, number> = {
  verifier: 500, // test/text/answers/generated-answers.test.ts judges 2,000
  template: 1_000,
  pattern: 500,
  arrow: 200,
  safetensors: 1_000,
  gguf: 1_000,
  json: 2_000,
  yaml: 100,
};

test.each(Object.keys(targets) as TargetName[])(
  "no generated input of %s is read in a wrong way, or fails otherwise than by a refusal",
  async (name) => {
    const target = targets[name]();
    try {
      for (let at = 0; at < inputs[name]; at++) await target.run(7, at);
    } finally {
      await target.close();
    }
  },
);
