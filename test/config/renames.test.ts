import { expect, test } from "@jest/globals";
import { renamed, renamedValues, withRenamed, type Rename } from "../../src/config/renames.ts";

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

test("what is wrong with a moved value stands behind its new name, everything else by itself", () => {
  const raw = { seed: "soon", lost: { size: 1 }, arms: [{ form: 3, method: "dpo" }] };
  const old = renamed(raw, [...renames, { key: "lost", now: "found" }]);
  const wrong = [
    { path: ["training", "seed"], message: "must be a number" },
    { path: ["training", "steps"], message: "is missing" },
    { path: ["found", "size"], message: "is not a known key", atKey: true },
    { path: ["arms", 0, "method"], message: "is wrong" },
  ];
  expect(withRenamed(old, wrong).map(({ path, message }) => `${path.join(".")} ${message}`)).toEqual([
    "seed is now called training.seed, which must be a number",
    "arms.0.form is now called arms[0].method",
    "lost is now called found; found.size is not a known key",
    "training.steps is missing",
    "arms.0.method is wrong",
  ]);
});
