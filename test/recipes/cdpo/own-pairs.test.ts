import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { examplesOf, readPages } from "../../../scripts/page-examples.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { loadConfig } from "../../../src/config/index.ts";
import { loadModel } from "../../../src/model/index.ts";
import { klMeasure } from "../../../src/recipes/cdpo/kl.ts";
import { cdpoRecipe } from "../../../src/recipes/cdpo/recipe.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { readScored } from "../../../src/recipes/cdpo/files.ts";
import { page } from "../../report/report-page.ts";
import { runHere } from "../run-here.ts";
import { smallSolver, writeConfig } from "../small-run.ts";
import { runInProcess } from "./in-process.ts";
import { cdpoResults } from "./small-run.ts";

const data = resolve(import.meta.dirname, "../../../datasets/word-problems");
const given = { train: join(data, "pairs.arrow"), validation: join(data, "pairs-held-out.arrow") };
const training = { steps: 2, warmupSteps: 0, batchSize: 2, microBatchSize: 1, learningRate: 1e-2, saveEvery: 1 };

/** A run on six given pairs, in `folder`. */
function write(folder: string, changes: object = {}): string {
  return writeConfig(folder, {
    model: smallSolver,
    data: { ...given, limit: 6, validationLimit: 4, maxTokens: 160, cache: join(folder, "cache") },
    contrast: { adapter: { rank: 2 }, training },
    align: {
      ...{ objective: { method: "tis-dpo" }, adapter: { rank: 2 }, training: { ...training, evaluateEvery: 1 } },
      kl: { every: 1, answers: 3, maxNewTokens: 5 },
    },
    // its second step is never taken
    compare: [{ name: "columns", objective: { method: "columns" }, stopAtKl: 1e-12 }],
    ...changes,
  });
}

let base: string;
let whole: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-own-pairs-"));
  const path = write(join(base, "whole"));
  whole = join(base, "whole/out");
  expect((await runHere("cdpo", path)).code).toBe(0);
});
afterAll(() => rmSync(base, { recursive: true }));

describe("pairs in data.train", () => {
  test("are contrasted, scored and learnt from: nothing is drawn or judged", () => {
    const stages = readdirSync(join(whole, "stages")).filter((name) => name.endsWith(".json"));
    const arms = ["tis-dpo", "columns"].flatMap((arm) => [`align.${arm}`, `preferences.${arm}`]);
    expect(stages.map((name) => name.slice(0, -5)).sort()).toEqual(
      ["contrast-models.negative", "contrast-models.positive", "pairs", "score", "preferences.base", ...arms].sort(),
    );
  });

  test("are measured on held-out pairs while an arm learns, from the start on, which has gained nothing", () => {
    const lines = readFileSync(join(whole, "tis-dpo/evaluation.jsonl"), "utf8").trimEnd().split("\n");
    const measured = lines.map((line) => JSON.parse(line) as Record<string, number>);
    expect(measured.map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(measured[0]).toMatchObject({ margin: 0, preferred: 0 });
    const { rows } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: Record<string, number>[];
    };
    const { margin, preferred, loss } = rows.find(({ name }) => (name as unknown) === "tis-dpo")!;
    expect(measured[2]!["margin"]).toBeCloseTo(margin!, 5);
    expect([measured[2]!["preferred"], measured[2]!["loss"]]).toEqual([preferred, expect.closeTo(loss!, 5)]);
  });

  test("have no answers: a metric of them is refused, as is their number for what stops or is best", async () => {
    writeFileSync(join(base, "mine.mjs"), "export const metric = () => ({});");
    const flags = [
      [`evaluation.metric=${join(base, "mine.mjs")}`, /evaluation\.metric: the held-out rows are pairs/],
      ["align.training.earlyStopping.metric=exactMatch", /earlyStopping\.metric: is not measured here \(exactMatch\)/],
    ] as const;
    for (const [setting, message] of flags) {
      const { code, stderr } = await runHere("cdpo", write(join(base, "refused")), "--dry-run", "--set", setting);
      expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  test("keep their tokens and weights", () => {
    const scored = readScored(join(whole, "stages/score.arrow"), { vocabularySize: 249 });
    const { decode } = loadTokenizer(smallSolver);
    const table = openArrow(given.train);
    scored.forEach(({ question, chosen, rejected, facts }) => {
      const row = table.row(question, ["question", "chosen", "rejected", "rejected_weights"]);
      expect(decode(chosen.prompt)).toContain(row["question"]);
      expect(decode(chosen.ids)).toContain(row["chosen"]);
      expect(decode(rejected.ids)).toContain(row["rejected"]);
      expect([...facts.rejected.weights!]).toEqual([...(row["rejected_weights"] as Float32Array)]);
      // of two models that have learnt different answers
      expect(Math.max(...facts.rejected.logRatio!.map(Math.abs))).toBeGreaterThan(1e-3);
      expect(facts.chosen.logRatio!.length).toBe(chosen.ids.length);
    });
    table.close();
    expect(scored.length).toBe(6);
  });

  test("are measured on held-out pairs, by what both answers gained", () => {
    const { rows, finding } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { name: string; preferred?: number; margin?: number; rowPreferred?: number[]; loss: number }[];
      finding: string;
    };
    expect(rows.map(({ name }) => name)).toEqual(["base", "tis-dpo", "columns"]);
    expect(rows[0]).not.toHaveProperty("preferred");
    const scores = (name: string): Record<string, number>[] => {
      const table = openArrow(join(whole, `stages/preferences.${name}.arrow`));
      const read = Array.from({ length: table.rows }, (_, i) => table.row(i, ["chosen", "rejected", "tokens"]));
      table.close();
      return read as Record<string, number>[];
    };
    const before = scores("base");
    for (const { name, preferred, margin, rowPreferred } of rows.slice(1)) {
      const margins = scores(name).map(
        ({ chosen, rejected }, i) => chosen! - rejected! - (before[i]!["chosen"]! - before[i]!["rejected"]!),
      );
      expect(margin).toBeCloseTo(margins.reduce((a, b) => a + b, 0) / 4, 8);
      expect(rowPreferred).toEqual(margins.map((value) => Number(value > 0)));
      expect(preferred).toBe(margins.filter((value) => value > 0).length / 4);
    }
    const loss =
      before.reduce((sum, { chosen }) => sum - chosen!, 0) / before.reduce((sum, { tokens }) => sum + tokens!, 0);
    expect(rows[0]!.loss).toBeCloseTo(loss, 8);
    expect(finding).toMatch(/share of pairs whose chosen answer it prefers (than|from) columns/);
    const { cells, section } = page(readFileSync(join(whole, "report.html"), "utf8"));
    expect(cells("Results").map((row) => row[0])).toEqual(["base", "tis-dpo", "columns"]);
    expect(section("Results")!.textContent).toMatch(/prefers the chosen answer of a held-out pair/);
  });

  test("go as far from the start as stopAtKl says, which is measured on answers of the aligned model", async () => {
    const { rows } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { klToReference?: number; steps?: number }[];
    };
    expect(rows.map(({ steps }) => steps)).toEqual([undefined, 2, 1]);
    const summary = readFileSync(join(whole, "columns/summary.json"), "utf8");
    expect(JSON.parse(summary)).toMatchObject({ stopAtKl: 1e-12, klToReference: rows[2]!.klToReference, steps: 1 });
    await useEngine("cpu", { threads: 1 });
    const [start, aligned] = [await loadModel(smallSolver), await loadModel(join(whole, "tis-dpo/model"))];
    const { config } = loadConfig(cdpoRecipe.config, join(base, "whole/config.yaml"));
    const measure = klMeasure(config, readScored(join(whole, "stages/score.arrow"), { vocabularySize: 249 }));
    expect(await measure(aligned, start)).toBeCloseTo(rows[1]!.klToReference!, 5);
    expect(await measure(start, start)).toBe(0);
    expect(rows[1]!.klToReference).toBeGreaterThan(1e-4);
    for (const model of [start, aligned]) model.dispose();
    releaseEngine();
  });

  test("stopped twice and continued, leave the same bytes", async () => {
    const folder = join(base, "stopped");
    const path = write(folder);
    const stopAt = (time: number) => {
      let asked = 0;
      const mode = existsSync(join(folder, "out")) ? "resume" : "new";
      return runInProcess(path, { mode, interrupted: () => ++asked === time });
    };
    // among the contrasted models' steps, then among the first alignment's
    for (const time of [2, 14]) await expect(stopAt(time)).rejects.toThrow(/^Stopped/);
    expect(existsSync(join(folder, "out/tis-dpo/metrics.jsonl"))).toBe(true);
    expect(existsSync(join(folder, "out/results.json"))).toBe(false);
    await stopAt(Infinity);
    expect(cdpoResults(join(folder, "out"))).toEqual(cdpoResults(whole));
  });

  test("take contrast models of the user's, so that nothing is trained for them", async () => {
    const models = join(whole, "stages/contrast-models");
    const path = write(join(base, "adapters"), {
      stages: { positive: join(models, "positive/adapter"), negative: join(models, "negative/adapter") },
      align: { objective: { method: "tis-dpo" }, adapter: { rank: 2 }, training: { ...training, steps: 1 } },
      compare: [],
    });
    await runInProcess(path);
    expect(existsSync(join(base, "adapters/out/stages/contrast-models"))).toBe(false);
    const of = (output: string) =>
      readScored(join(output, "stages/score.arrow"), { vocabularySize: 249 }).map(({ facts: { chosen, rejected } }) =>
        [chosen, rejected].map(({ reference, logRatio }) => [reference, logRatio]),
      );
    expect(of(join(base, "adapters/out"))).toEqual(of(whole));
  });

  test("are what the page's example learns from", async () => {
    const example = examplesOf(readPages()).find(({ name }) => name === "my-pairs.yaml")!;
    for (const name of ["models", "datasets"])
      symlinkSync(resolve(import.meta.dirname, "../../..", name), join(base, name));
    writeFileSync(join(base, example.name), example.content);
    const cpu = ["engine=cpu", `data.cache=${join(base, "cache")}`, "data.limit=20", "data.validationLimit=10"].flatMap(
      (setting) => ["--set", setting],
    );
    const { code, stdout } = await runHere("cdpo", join(base, example.name), "--dry-run", ...cpu);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Pairs given: 20, held-out pairs: 10\nResponses to draw: none/m);
    expect(stdout).toMatch(
      /^KL to the start: .*; ends dpo-near at 0\.02\nArms: cdpo, dpo, cdpo-shuffled, sft-chosen, columns, dpo-near$/m,
    );
  });

  test.each([
    [{ stages: { sample: given.train } }, /stages\.sample: data\.train holds pairs.*data\.format: prompt-response/s],
    [{ compare: ["sft-reference"] }, /arm sft-reference: data\.train holds pairs.*sft-chosen/s],
    [{ pairs: { maxTokens: 10 } }, /all 6 pairs are too long/],
  ])("refuse %j", async (changes, message) => {
    const path = write(join(base, `refused-${JSON.stringify(changes).length}`), changes);
    const { code, stderr } = await runHere("cdpo", path, ...("pairs" in changes ? [] : ["--dry-run"]));
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
