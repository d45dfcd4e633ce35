import { expect, test } from "@jest/globals";
import { renamed, renamedValues, type Rename } from "../../src/config/renames.ts";

const renames: Rename[] = [
  { key: "seed", now: "training.seed" },
  { key: "arms[].form", now: "arms[].method" },
  ...renamedValues(["rule.divideBy", "arms[].divideBy"], { microBatch: "micro-batch" }),
];

test("old keys and values are told with their new names, and nothing else", () => {
  const raw = {
    seed: 7,
    rule: { divideBy: "microBatch" },
    arms: [{ form: "dpo" }, "rpo", { divideBy: "microBatch", form: "dpo", method: "tdpo" }, { divideBy: "kept" }],
  };
  expect(renamed(raw, renames).map(({ path, message }) => `${path.join(".")} ${message}`)).toEqual([
    "seed is now called training.seed",
    "arms.0.form is now called arms[0].method",
    "arms.2.form is now called arms[2].method",
    'rule.divideBy is "microBatch", which is now spelled micro-batch',
    'arms.2.divideBy is "microBatch", which is now spelled micro-batch',
  ]);
});

test("the new names stand in the place of the old ones, unless they were given beside them", () => {
  const raw = { seed: 7, arms: [{ form: "dpo" }, { form: "dpo", method: "tdpo" }] };
  renamed(raw, renames);
  expect(raw).toEqual({ training: { seed: 7 }, arms: [{ method: "dpo" }, { method: "tdpo" }] });
});

test("a configuration without old names is left as it is", () => {
  const raw = { rule: { divideBy: "kept" }, arms: "form", training: null };
  expect(renamed(raw, renames)).toEqual([]);
  expect(raw).toEqual({ rule: { divideBy: "kept" }, arms: "form", training: null });
});
