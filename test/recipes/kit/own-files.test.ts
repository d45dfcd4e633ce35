import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { changedFiles, digestsOf, identityOf, keepDigests } from "../../../src/recipes/kit/own-files.ts";
import { ownFilesOf } from "../../../src/recipes/kit/recipe.ts";
import { orealRecipe } from "../../../src/recipes/oreal/recipe.ts";
import { finetuneRecipe } from "../../../src/recipes/finetune/recipe.ts";
import { smallSolver } from "../small-run.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-own-files-"));
  for (const name of ["reward.mjs", "rule.mjs", "other-rule.mjs", "metric.mjs", "rates.arrow"])
    writeFileSync(join(folder, name), name);
});
afterEach(() => rmSync(folder, { recursive: true }));

const data = join(import.meta.dirname, "../../../datasets/word-problems/validation.arrow");
function write(config: object): string {
  const path = join(folder, "config.yaml");
  writeFileSync(path, JSON.stringify({ model: smallSolver, data: { train: data, validation: data }, ...config }));
  return path;
}

describe("the files of one's own that a run reads", () => {
  test("of OREAL are rewards, a rule of token weights, the metric, and stored pass rates", () => {
    const path = write({
      rewards: [{ method: "verifier" }, { method: "./reward.mjs" }],
      objective: { weights: { source: "rule", rule: { method: "./rule.mjs" } } },
      sampling: { passRates: { from: "./rates.arrow" } },
      evaluation: { metric: "./metric.mjs" },
    });
    const { config } = loadConfig(orealRecipe.config, path);
    expect(
      new Map(ownFilesOf(orealRecipe, config).map(({ key, path }) => [key, path.slice(folder.length + 1)])),
    ).toEqual(
      new Map([
        ["rewards[1].method", "reward.mjs"],
        ["objective.weights.rule.method", "rule.mjs"],
        ["sampling.passRates.from", "rates.arrow"],
        ["evaluation.metric", "metric.mjs"],
      ]),
    );
  });

  test("of an arm are its own, not those of other arms", () => {
    const path = write({ selection: { method: "./rule.mjs" }, compare: ["./other-rule.mjs", "full"] });
    const { config } = loadConfig(finetuneRecipe.config, path);
    expect(ownFilesOf(finetuneRecipe, config).map(({ key }) => key)).toEqual(["selection.method"]);
  });
});

test("a file that holds something else than when the run was started is told by its key", () => {
  const files = [
    { key: "rewards[0].method", path: join(folder, "reward.mjs") },
    { key: "sampling.passRates.from", path: join(folder, "rates.arrow") },
    { key: "sampling.passRates.from", path: join(folder, "rule.mjs") },
    { key: "evaluation.metric", path: join(folder, "not-made-yet.mjs") },
  ];
  const before = digestsOf(files);
  expect(Object.keys(before)).toEqual(["rewards[0].method", "sampling.passRates.from"]);
  expect(Object.keys(identityOf(before))).toEqual([
    ...["rewards[0].method (reward.mjs)", "sampling.passRates.from (rates.arrow and 1 more)"],
  ]);
  expect(changedFiles(folder, before)).toEqual([]); // an earlier version kept none
  keepDigests({ writeFile: (name, content) => writeFileSync(join(folder, name), content) }, before);
  expect(changedFiles(folder, before)).toEqual([]);

  writeFileSync(join(folder, "reward.mjs"), "other");
  expect(changedFiles(folder, digestsOf(files))).toEqual([
    expect.stringMatching(/^rewards\[0\]\.method: reward\.mjs /),
  ]);
  writeFileSync(join(folder, "rule.mjs"), "other");
  expect(changedFiles(folder, digestsOf(files))).toHaveLength(2);
});
