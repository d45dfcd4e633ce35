import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blocksOf, readPages } from "../../scripts/page-examples.ts";
import { fromRows, openDataset, tokenizeDataset, type Dataset } from "../../src/data/index.ts";
import { loadModel } from "../../src/model/index.ts";
import type { TokenRule } from "../../src/contract/index.ts";
import { datasetWeights } from "../../src/selection/dataset-weights.ts";
import { full } from "../../src/selection/full.ts";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { newTrainingState, schedule } from "../../src/training/index.ts";
import { temporaryFolder, tokensift } from "../cli/run.ts";
import { collect } from "./fresh-state.ts";

// test/fixtures/elsewhere/make.py ran the programs, and wrote reference.json.
const fixtures = "test/fixtures/elsewhere";
const reference = JSON.parse(readFileSync(join(fixtures, "reference.json"), "utf8")) as Record<
  "weights" | "labels",
  { losses: number[]; gradientNorms: number[] }
>;

interface Scored {
  ids: number[];
  response: number[];
  nll: number[];
  weights: number[];
}
const rowsOf = (path: string): Scored[] =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Scored);

const folder = temporaryFolder();
const page = readPages().find(({ path }) => path === "docs/library.md")!;
const blocks = blocksOf(page);

/** Three steps over all rows, in two micro-batches. */
async function trained(dataset: Dataset, rule: TokenRule) {
  const model = await loadModel("models/tiny");
  const tokens = await tokenizeDataset(dataset, model.tokenizer);
  const state = newTrainingState(model, tokens);
  const rate = schedule({ kind: "constant", learningRate: 1e-3, totalSteps: 3 });
  const options = { tokens, rule, steps: 3, batchSize: 8, microBatchSize: 4, schedule: rate, clipNorm: 1, seed: 1 };
  try {
    return await collect(state, options);
  } finally {
    state.optimizer.dispose();
    model.dispose();
    await dataset.close();
  }
}

function expectSteps(steps: Awaited<ReturnType<typeof trained>>, { losses, gradientNorms }: typeof reference.labels) {
  expect(steps).toHaveLength(losses.length);
  for (const [i, { loss, gradNorm }] of steps.entries()) {
    expect(Math.abs(loss - losses[i]!)).toBeLessThan(1e-4);
    expect(Math.abs(gradNorm / gradientNorms[i]! - 1)).toBeLessThan(1e-3);
  }
}

describe("training elsewhere on a file of scores", () => {
  test.each(["train_in_trl.py", "train_on_labels.py"])("is shown by the page as %s does it", (name) => {
    const shown = blocks.filter(({ language, content }) => language === "python" && content.startsWith(`# ${name}\n`));
    expect(shown.map(({ content }) => content)).toEqual([readFileSync(join(fixtures, name), "utf8")]);
  });

  test.each(["focal.jsonl", "kept.jsonl"])("begins with the command that writes %s", async (name) => {
    const lines = blocks.filter(({ language }) => language === "sh").flatMap(({ content }) => content.split("\n"));
    const command = lines.find((line) => line.endsWith(`--out ${name}`))!;
    const out = folder.path(name);
    const words = command.replace("npx tokensift ", "").replace(`--out ${name}`, `--out ${out}`).split(" ");
    expect((await tokensift(...words, "--engine", "cpu")).code).toBe(0);
    const [found, kept] = [rowsOf(out), rowsOf(join(fixtures, name))];
    expect(found.map(({ ids, response }) => ({ ids, response }))).toEqual(
      kept.map(({ ids, response }) => ({ ids, response })),
    );
    for (const [i, row] of found.entries())
      for (const key of ["nll", "weights"] as const)
        for (const [t, value] of row[key].entries()) expect(Math.abs(value - kept[i]![key][t]!)).toBeLessThan(1e-4);
  });
});

describe("training here on the same file", () => {
  beforeAll(() => useEngine("cpu", { threads: 1 }));
  afterAll(() => releaseEngine());

  test("with a weight for each token gives the losses and gradients of TRL's three steps", async () => {
    const dataset = await openDataset(join(fixtures, "focal.jsonl"));
    expectSteps(await trained(dataset, datasetWeights({ column: "weights" })), reference.weights);
  });

  test("with labels gives those of transformers", async () => {
    const rows = rowsOf(join(fixtures, "kept.jsonl")).map(({ ids, weights }) => ({
      input_ids: ids,
      attention_mask: ids.map(() => 1),
      labels: ids.map((id, t) => (weights[t] === 0 ? -100 : id)),
    }));
    expectSteps(await trained(fromRows(rows), full()), reference.labels);
  });
});
