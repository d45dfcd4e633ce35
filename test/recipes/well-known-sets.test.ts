import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { examplesOf, readPages } from "../../scripts/page-examples.ts";
import { loadConfig } from "../../src/config/index.ts";
import { finetuneRecipe } from "../../src/recipes/finetune/recipe.ts";
import { gatherInputs, type RunInputs } from "../../src/recipes/kit/inputs.ts";
import type { Recipe, RunConfig } from "../../src/recipes/kit/recipe.ts";
import { perform } from "../../src/recipes/kit/run-from-command-line.ts";
import { orealRecipe } from "../../src/recipes/oreal/recipe.ts";
import { releaseEngine, useEngine, type EngineInfo } from "../../src/tensor/engine.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { loop as finetune } from "../../trainers/finetune.ts?loop";
import { loop as oreal } from "../../trainers/oreal.ts?loop";

// test/fixtures/sets/make.py writes the sets.
const sets = resolve("test/fixtures/sets");
const page = readPages().find(({ path }) => path === "docs/data-and-models.md")!;
const [, section] = page.markdown.split("### Well-known sets");
const configs = examplesOf([page]).filter(
  ({ name, language }) => language === "yaml" && section!.includes(`# ${name}\n`),
);

const folder = mkdtempSync(join(tmpdir(), "tokensift-sets-"));
const tokenizer = loadTokenizer("models/tiny");
let engine: EngineInfo;
beforeAll(async () => {
  symlinkSync(resolve("models"), join(folder, "models"));
  for (const entry of readdirSync(sets)) symlinkSync(join(sets, entry), join(folder, entry));
  engine = await useEngine("cpu", { threads: 1 });
});
afterAll(() => {
  releaseEngine();
  rmSync(folder, { recursive: true });
});

/** Runs a configuration as its trainer does, in this process. */
async function train<Config extends RunConfig, Run>(
  recipe: Recipe<Config, Run>,
  loop: (run: Run) => Promise<void>,
  path: string,
): Promise<{ output: string; first: string }> {
  const { config, resolvedYaml } = loadConfig(recipe.config, path);
  const reporter = { note: () => undefined, working: () => undefined, step: () => undefined };
  const inputs = await gatherInputs(recipe.start(config), engine, reporter);
  await perform(recipe, loop, {
    ...{ config, resolvedYaml, mode: "new", allowChanges: false, command: "" },
    ...{ reporterOf: () => reporter, interrupted: () => false, inputs: () => Promise.resolve(inputs) },
  });
  await inputs.close();
  return { output: config.output, first: firstRow(inputs) };
}

/** A set's first row, what trains of it in brackets. */
function firstRow({ tokens }: RunInputs): string {
  const { ids, response } = tokens.row(0);
  const words = Array.from(ids, (id, t) => {
    const word = tokenizer.decode([id]);
    const [opens, closes] = [response[t]! > (response[t - 1] ?? 0), response[t]! > (response[t + 1] ?? 0)];
    return `${opens ? "[" : ""}${word}${closes ? "]" : ""}`;
  });
  return words.join(" ");
}

const lines = (path: string): Record<string, number>[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

/** The first row of each set as it is trained. */
const firstRows: Record<string, string> = {
  "svamp.yaml":
    "<s> Question: Cleo has 28 books . Cleo buys 5 more books . How many books does Cleo have now ? Answer: [33 </s>]",
  "multiarith.yaml":
    "<s> Question: Ada has 35 cards . Ada buys 2 more cards . How many cards does Ada have now ? Answer: [37 </s>]",
  "gsm8k.yaml":
    "<s> Question: Cleo has 41 shells . Cleo loses 5 shells . How many shells does Cleo have now ? " +
    "Answer: [41 - 5 = 36 shells . #### 36 </s>]",
  "alpaca.yaml":
    "<s> Question: Emil has 39 apples . Emil loses 8 apples . How many apples does Emil have now ? " +
    "Answer: [39 - 8 = 31 apples . </s>]",
  "sharegpt.yaml":
    "<s> Question: Hana has 27 apples . Hana loses 11 apples . How many apples does Hana have now ? " +
    "Answer: [27 - 11 = 16 apples . </s>] Question: Gus has 27 pencils . Gus loses 7 pencils . " +
    "How many pencils does Gus have now ? Answer: [27 - 7 = 20 pencils . </s>]",
  "ultrafeedback.yaml":
    "<s> Question: Hana has 31 shells . Hana loses 9 shells . How many shells does Hana have now ? " +
    "Answer: [31 - 9 = 22 shells . </s>]",
  "verl.yaml":
    "<s> Question: Emil has 38 shells . Emil buys 6 more shells . How many shells does Emil have now ? Answer: [44 </s>]",
};

describe("the configurations of well-known sets", () => {
  test("are there for each set, in six lines at most", () => {
    expect(configs.map(({ name }) => name)).toEqual([
      ...["svamp.yaml", "multiarith.yaml", "gsm8k.yaml", "alpaca.yaml", "sharegpt.yaml", "ultrafeedback.yaml"],
      "verl.yaml",
    ]);
    for (const { content } of configs) expect(content.trim().split("\n").length - 1).toBeLessThanOrEqual(6);
  });

  test.each(configs)("$name trains", async ({ name, content }) => {
    writeFileSync(join(folder, name), content);
    const path = join(folder, name);
    const isForOreal = section!.includes(`trainers/oreal.ts --config ${name}`);
    const { output, first } = await (isForOreal
      ? train(orealRecipe, oreal, path)
      : train(finetuneRecipe, finetune, path));
    expect(first).toBe(firstRows[name]);
    const steps = lines(join(output, "metrics.jsonl"));
    expect(steps.length).toBeGreaterThan(0);
    for (const { gradNorm } of steps) expect(gradNorm).toBeGreaterThan(0);
    const start = readFileSync("models/tiny/model.safetensors");
    expect(readFileSync(join(output, "model/model.safetensors")).equals(start)).toBe(false);
  });
});
