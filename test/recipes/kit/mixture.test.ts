import { afterAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loadConfig } from "../../../src/config/index.ts";
import { finetuneRecipe } from "../../../src/recipes/finetune/recipe.ts";
import { userError } from "../../user-error.ts";
import { runHere } from "../run-here.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-mixture-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, lines: readonly string[]): string => {
  writeFileSync(join(folder, name), `${lines.join("\n")}\n`);
  return join(folder, name);
};
const questions = (n: number): string[] =>
  Array.from({ length: n }, (_, i) => JSON.stringify({ question: `How many ropes ? ${i}`, answer: "6" }));
write("few.jsonl", questions(2));
write("many.jsonl", questions(10));

const config = (train: string, more: readonly string[] = []): string =>
  write("run.yaml", [
    `model: ${resolve("models/tiny")}`,
    `data: { train: ${train}, validation: { path: many.jsonl, limit: 1 }, maxTokens: 64, cache: cache }`,
    ...["engine: cpu", "output: out", "training: { epochs: 2, batchSize: 6 }", ...more],
  ]);
const load = (train: string, set: readonly string[] = []) =>
  loadConfig(finetuneRecipe.config, config(train), { set, folder });

describe("a configuration names data sets with settings of their own", () => {
  test("in a list, beside plain paths, whose paths become absolute", () => {
    const { config, resolvedYaml } = load(
      "[{ path: few.jsonl, weight: 3, limit: 1, fields: { answer: reply } }, many.jsonl]",
    );
    const train = [
      { path: join(folder, "few.jsonl"), weight: 3, limit: 1, fields: { answer: "reply" } },
      join(folder, "many.jsonl"),
    ];
    expect(config.data.train).toEqual(train);
    const again = loadConfig(finetuneRecipe.config, write("again.yaml", resolvedYaml.split("\n")));
    expect(again.config).toEqual(config);
  });

  test("on the command line, as a whole or key by key", () => {
    const train = load("many.jsonl", ["data.train=[{path: few.jsonl, weight: 2}, many.jsonl]"]).config.data.train;
    expect(train).toEqual([{ path: join(folder, "few.jsonl"), weight: 2 }, join(folder, "many.jsonl")]);
    const changed = load("[{ path: few.jsonl, weight: 3 }, many.jsonl]", ["data.train.0.weight=0.5"]).config.data.train;
    expect(changed).toMatchObject([{ weight: 0.5 }, join(folder, "many.jsonl")]);
  });

  test.each([
    ["[few.jsonl, { path: many.jsonl, weight: -1 }]", "data.train[1].weight"],
    ["[{ path: many.jsonl, limit: 0 }]", "data.train[0].limit"],
    ["[{ path: many.jsonl, wieght: 1 }]", "data.train[0].wieght"],
    ["[few.jsonl, { weight: 1 }]", "data.train[1].path"],
    ["[{ path: none.jsonl }]", "data.train[0].path"],
    ["[few.jsonl, 3]", "data.train[1]"],
    ["{ path: many.jsonl, weight: x }", "data.train.weight"],
    ["few.jsonl, validation: [{ path: many.jsonl, weight: 1 }]", "data.validation[0].weight"],
  ])("%s is refused at %s", (train, key) => {
    const text = `model: ${resolve("models/tiny")}\ndata: { train: ${train} }\n`;
    expect(() => loadConfig(finetuneRecipe.config, write("bad.yaml", [text]))).toThrow(
      userError("invalid-config", new RegExp(`bad\\.yaml:2:\\d+: ${key.replaceAll(/[[\].]/g, "\\$&")} `)),
    );
  });
});

test("a dry run says how often the rows of each data set come", async () => {
  const { code, stdout, stderr } = await runHere(
    "finetune",
    config("[{ path: few.jsonl, weight: 3 }, many.jsonl]"),
    "--dry-run",
  );
  expect([code, stderr]).toEqual([0, expect.anything()]);
  // 12 rows, 3 : 1
  expect(stdout).toMatch(/9 of an epoch's 12 rows from .*few\.jsonl \(2 rows, each 4\.50 times an epoch\)/);
  expect(stdout).toMatch(/3 of an epoch's 12 rows from .*many\.jsonl \(10 rows, each 0\.300 times an epoch\)/);
});

test("a recipe that asks every question alike refuses weights by their key", async () => {
  const lines = [`model: ${resolve("models/tiny")}`, "data: { train: [few.jsonl, { path: many.jsonl, weight: 2 }] }"];
  const { code, stderr } = await runHere("oreal", write("oreal.yaml", [...lines, "engine: cpu"]), "--dry-run");
  expect([code, stderr]).toEqual([2, expect.stringContaining("data.train[1].weight")]);
});
