import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { armsOf, cdpoDefinition, mainCdpoArm, neededStages } from "../../../src/recipes/cdpo/config.ts";
import { objectivesOf } from "../../../src/recipes/cdpo/objectives.ts";
import { configFolder, reader } from "../../config/folder.ts";
import { userError } from "../../user-error.ts";

const definition = cdpoDefinition();
const root = resolve(import.meta.dirname, "../../..");
const folder = configFolder("model", "train.jsonl", "held.jsonl", "score.arrow");
const { load, complaints } = reader(definition, folder);
const minimal = "model: model\ndata: {train: train.jsonl, validation: held.jsonl}\n";

describe("the stages of a run", () => {
  const needed = (files: readonly string[], about = { contrasted: true }): string[] => {
    const stages = neededStages(Object.fromEntries(files.map((file) => [file, `${file}.arrow`])), about);
    return Object.entries(stages).flatMap(([stage, isNeeded]) => (isNeeded ? [stage] : []));
  };

  test("are left out where only later files of the user's would have been read", () => {
    expect(needed([])).toEqual(["sample", "judge", "positive", "negative", "pairs", "score"]);
    expect(needed(["judge"])).toEqual(["judge", "positive", "negative", "pairs", "score"]);
    expect(needed(["pairs"])).toEqual(["sample", "judge", "positive", "negative", "pairs", "score"]);
    expect(needed(["positive", "negative", "pairs"])).toEqual(["positive", "negative", "pairs", "score"]);
    expect(needed(["score"])).toEqual(["score"]);
  });

  test("draw and judge nothing where the data hold pairs", () => {
    const about = { contrasted: true, given: true };
    expect(needed([], about)).toEqual(["positive", "negative", "pairs", "score"]);
    expect(needed(["positive", "negative"], { ...about, contrasted: false })).toEqual(["pairs", "score"]);
  });

  test("contrast nothing where no objective reads the estimate", () => {
    const about = { contrasted: false };
    expect(needed([], about)).toEqual(["sample", "judge", "pairs", "score"]);
    expect(needed(["pairs"], about)).toEqual(["pairs", "score"]);
  });
});

describe("a cDPO configuration", () => {
  test("needs a model and rows only; the contrasted adapters are the paper's", () => {
    const { config } = load(minimal);
    expect(mainCdpoArm(config)).toEqual({ name: "cdpo", objective: { method: "cdpo" }, learningRate: 1e-4 });
    expect(config.contrast).toMatchObject({
      contrast: 1,
      coverage: 0.5,
      adapter: { rank: 8, alpha: 16, dropout: 0.1 },
    });
    expect(config.contrast.adapter.projections).toEqual(["gate", "up", "down"]);
    expect(config.align.training).toMatchObject({ epochs: 1, microBatchSize: 16 });
    expect(config.align.adapter).toBeUndefined();
  });

  test("names no arm as the run's own folders and files", () => {
    const named = (name: string): string => `${minimal}compare: [{name: ${name}, objective: {method: dpo}}]\n`;
    for (const name of ["stages", "trajectories", "reward-model", "metrics.jsonl", "run.json"])
      expect(complaints(named(name))).toContain(`cannot be named ${name}`);
    expect(complaints(named("dpo-0.1"))).toBe("");
  });

  test("resolved, loads to the same again", () => {
    const text = `${minimal}align: {objective: {preset: released}}\ncompare: [dpo, cdpo-shuffled, {objective: {method: rpo, nll: 2}}]\n`;
    const { config, resolvedYaml } = load(text);
    expect(load(resolvedYaml).config).toEqual(config);
  });

  test("gives arms named by their form the main arm's temperature, and the control its options", () => {
    const main = "align: {objective: {method: cdpo, preset: released, sides: both}}\n";
    const { compare } = load(`${minimal}${main}compare: [dpo, cdpo-shuffled, confpo, sft-chosen]\n`).config;
    expect(compare.map(({ objective }) => objective)).toEqual([
      { method: "dpo", dpoBeta: 0.1 },
      { method: "cdpo-shuffled", preset: "released", sides: "both", dpoBeta: 0.1 },
      { method: "confpo" },
      { method: "sft-chosen" },
    ]);
  });

  test("ends arms at a distance of their own, or at that of all, and then measures it", () => {
    const arms = "compare: [dpo, {name: near, objective: {method: dpo}, stopAtKl: 0.01}]\n";
    const { config } = load(`${minimal}align: {stopAtKl: 0.05}\n${arms}`);
    expect(armsOf(config).map(({ stopAtKl }) => stopAtKl)).toEqual([0.05, 0.05, 0.01]);
    expect(config.align.kl).toEqual({ every: 5, answers: 32, maxNewTokens: 128 });
    const { align, compare } = load(`${minimal}${arms}`).config;
    expect([align.stopAtKl, ...compare.map(({ stopAtKl }) => stopAtKl)]).toEqual([undefined, undefined, 0.01]);
    expect(align.kl).toMatchObject({ every: 5 });
    expect(load(minimal).config.align.kl).toBeUndefined();
    expect(load(`${minimal}align: {kl: {every: 2}}\n`).config.align.kl).toMatchObject({ every: 2, answers: 32 });
  });

  test("lets an arm have its own learning rate", () => {
    const { compare } = load(`${minimal}compare: [{objective: {method: dpo}, learningRate: 2e-5}]\n`).config;
    expect(compare).toEqual([{ name: "dpo", objective: { method: "dpo" }, learningRate: 2e-5 }]);
  });

  test.each([
    [
      "align: {objective: {method: dpo, threshold: 0.1}}",
      /align.objective.threshold is not a known key; align.objective has method, dpoBeta/,
    ],
    ["compare: [{objective: {method: sft-chosen, dpoBeta: 1}}]", /compare\[0\].objective.dpoBeta is not a known key/],
    ["align: {objective: {method: cpdo}}", /align.objective.method .*cdpo/],
    ["seed: soon", /^\/run.yaml:3:1: seed is now called training.seed, which must be a whole number.*, got "soon"$/],
    [
      "compare: [{name: a, objective: {form: dpoo}}]",
      /^\/run.yaml:3:33: compare\[0\].objective.form is now called compare\[0\].objective.method, which is "dpoo", but must be one of cdpo, .*did you mean dpo\?$/,
    ],
    ["align: {objective: {form: dpo}}", /align.objective.form is now called align.objective.method/],
    [
      "compare: [{objective: {form: dpo}}]",
      /^\/run.yaml:3:24: compare\[0\].objective.form is now called compare\[0\].objective.method$/,
    ],
    ["align: {objective: {method: dpo, dpoBeta: 0}}", /align.objective.dpoBeta must be a number, above 0/],
    [
      "align: {objective: {method: dpo, aggregation: position, margin: 1}}",
      /align.objective cannot be: margin must be 0 when aggregation is position/,
    ],
    ["align: {objective: {method: ./none.ts}}", /align.objective.method is "..none.ts", and there is no/],
    ["compare: [cdpo]", /compare\[0\] has the same name as another arm, cdpo/],
    ["compare: [{name: stages, objective: {method: dpo}}]", /cannot be named stages/],
    ["compare: [{name: base, objective: {method: dpo}}]", /compare\[0\] has the same name as another arm, base/],
    ["compare: [dpo, {objectve: {method: dpo}}]", /compare\[1\]\.objectve .*did you mean compare\[1\]\.objective\?/],
    ["compare: [{objective: {method: dpo, dpoBta: 1}}]", /did you mean compare\[0\]\.objective\.dpoBeta\?/],
    ["compare: [{method: dpo}]", /compare\[0\]\.method .*did you mean compare\[0\]\.objective\.method\?/],
    ["compare: [cdpo-shufled]", /compare\[0\] is "cdpo-shufled", but must be one of .*; did you mean cdpo-shuffled\?/],
    ["stages: {score: score.arrow, positive: model}", /stages.positive is not used/],
    ["stages: {sample: score.arrow, judge: score.arrow}", /stages.sample is not used/],
    ["stages: {judge: score.arrow, score: score.arrow}", /stages.judge is not used/],
    ["contrast: {beta: 1}", /contrast.beta/],
    ["align: {stopAtKl: 0}", /align.stopAtKl must be a number, above 0/],
    ["compare: [{objective: {method: dpo}, stopAtKL: 1}]", /did you mean compare\[0\]\.stopAtKl\?/],
    ["align: {kl: {every: 0}}", /align.kl.every must be a whole number/],
    ["align: {training: {seed: 1}}", /align.training.seed/],
    ["align: {training: {steps: 3, epochs: 1}}", /cannot be given together/],
    ["align: {training: {batchSize: 2, microBatchSize: 4}}", /align.training.microBatchSize must be at most/],
    ["stages: {pairs: absent.arrow}", /there is no .*absent.arrow/],
  ])("refuses %s", (text, message) => {
    expect(complaints(minimal + text)).toMatch(message);
  });

  test("has no packed rows and no chunks: its rows are pairs", () => {
    expect(complaints(minimal, ["data.packing=true"])).toMatch(/data\.packing is not a known key/);
    expect(complaints(minimal, ["data.truncate=chunk"])).toMatch(/data\.truncate must be one of end, skip/);
  });

  test("needs held-out rows", () => {
    expect(complaints("model: model\ndata: {train: train.jsonl}\n")).toMatch(/data.validation is missing/);
  });

  test("shipped with the package is right", () => {
    const paths = [`model=${join(root, "models/tiny")}`, "data.train=train.jsonl", "data.validation=held.jsonl"];
    for (const name of ["quickstart", "paper-gsm8k-llama3-8b"]) {
      const { config } = loadConfig(definition, join(root, `configs/cdpo/${name}.yaml`), { set: paths, folder });
      expect(armsOf(config).length).toBeGreaterThan(1);
    }
  });

  test("makes the objective of each arm, of the user's own file too", async () => {
    const mine = join(root, "test/fixtures/preference/forms/first-token.ts");
    const text = `${minimal}align: {objective: {method: ${mine}, dpoBeta: 0.2}}\ncompare: [dpo, sft-chosen]\n`;
    const { config } = load(text);
    const objectives = await objectivesOf(config);
    expect([...objectives.keys()]).toEqual(["first-token", "dpo", "sft-chosen"]);
    expect(config.compare[0]!.objective).toEqual({ method: "dpo", dpoBeta: 0.2 });
    expect(objectives.get("first-token")).toMatchObject({ needs: ["reference"], rows: "pairs" });
  });

  test("refuses a file whose objective lacks something, all of it at once", async () => {
    writeFileSync(join(folder, "bad.js"), 'export const objective = { reads: ["nll"], rows: "all" };');
    const { config } = load(`${minimal}align: {objective: {method: ./bad.js}}\n`);
    await expect(objectivesOf(config)).rejects.toThrow(
      userError("invalid-module", /bad\.js: .*reads .*needs .*rows .*evaluate /),
    );
  });
});
