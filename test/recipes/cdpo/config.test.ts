import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { cdpoDefinition, mainCdpoArm } from "../../../src/recipes/cdpo/config.ts";
import { cdpoForms } from "../../../src/recipes/cdpo/config-schema.ts";
import { objectiveOf } from "../../../src/recipes/cdpo/index.ts";
import { configFolder, reader } from "../../config/folder.ts";

const definition = cdpoDefinition({ dpoBeta: { paper: 1, released: 0.1, recommended: 1 } });
const root = resolve(import.meta.dirname, "../../..");
const folder = configFolder("model", "train.jsonl", "held.jsonl", "score.arrow");
const { load, complaints } = reader(definition, folder);
const minimal = "model: model\ndata: {train: train.jsonl, validation: held.jsonl}\n";

describe("a cDPO configuration", () => {
  test("needs a model and rows only; the contrasted adapters are the paper's", () => {
    const { config } = load(minimal);
    expect(mainCdpoArm(config)).toEqual({ name: "cdpo", objective: { form: "cdpo" }, learningRate: 1e-4 });
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
    const named = (name: string): string => `${minimal}compare: [{name: ${name}, objective: {form: dpo}}]\n`;
    for (const name of ["stages", "trajectories", "reward-model", "metrics.jsonl", "run.json"])
      expect(complaints(named(name))).toContain(`cannot be named ${name}`);
    expect(complaints(named("dpo-0.1"))).toBe("");
  });

  test("resolved, loads to the same again", () => {
    const text = `${minimal}align: {objective: {preset: released}}\ncompare: [dpo, cdpo-shuffled, {objective: {form: rpo, nll: 2}}]\n`;
    const { config, resolvedYaml } = load(text);
    expect(load(resolvedYaml).config).toEqual(config);
  });

  test("gives arms named by their form the main arm's temperature, and the control its options", () => {
    const main = "align: {objective: {form: cdpo, preset: released, sides: both}}\n";
    const { compare } = load(`${minimal}${main}compare: [dpo, cdpo-shuffled, confpo, sft-chosen]\n`).config;
    expect(compare.map(({ objective }) => objective)).toEqual([
      { form: "dpo", dpoBeta: 0.1 },
      { form: "cdpo-shuffled", preset: "released", sides: "both", dpoBeta: 0.1 },
      { form: "confpo" },
      { form: "sft-chosen" },
    ]);
  });

  test("lets an arm have its own learning rate", () => {
    const { compare } = load(`${minimal}compare: [{objective: {form: dpo}, learningRate: 2e-5}]\n`).config;
    expect(compare).toEqual([{ name: "dpo", objective: { form: "dpo" }, learningRate: 2e-5 }]);
  });

  test.each([
    ["align: {objective: {form: dpo, threshold: 0.1}}", /align.objective.threshold is not used: the form is dpo/],
    ["compare: [{objective: {form: sft-chosen, dpoBeta: 1}}]", /compare\[0\].objective.dpoBeta is not used/],
    ["align: {objective: {form: cpdo}}", /align.objective.form .*cdpo/],
    ["compare: [cdpo]", /compare\[0\] has the same name as another arm, cdpo/],
    ["compare: [{name: stages, objective: {form: dpo}}]", /cannot be named stages/],
    ["compare: [{name: base, objective: {form: dpo}}]", /compare\[0\] has the same name as another arm, base/],
    ["compare: [dpo, {objectve: {form: dpo}}]", /compare\[1\]\.objectve .*did you mean compare\[1\]\.objective\?/],
    ["compare: [{objective: {form: dpo, dpoBta: 1}}]", /did you mean compare\[0\]\.objective\.dpoBeta\?/],
    ["compare: [{form: dpo}]", /compare\[0\]\.form .*did you mean compare\[0\]\.objective\.form\?/],
    ["compare: [cdpo-shufled]", /or a group of keys, got "cdpo-shufled"; did you mean cdpo-shuffled\?/],
    ["align: {objective: {form: columns}}", /stages.score is missing/],
    ["stages: {score: score.arrow, positive: model}", /stages.positive is not used/],
    ["stages: {sample: score.arrow, judge: score.arrow}", /stages.sample is not used/],
    ["stages: {judge: score.arrow, score: score.arrow}", /stages.judge is not used/],
    ["contrast: {beta: 1}", /contrast.beta/],
    ["align: {training: {seed: 1}}", /align.training.seed/],
    ["align: {training: {steps: 3, epochs: 1}}", /cannot be given together/],
    ["align: {training: {batchSize: 2, microBatchSize: 4}}", /align.training.microBatchSize must be at most/],
    ["stages: {pairs: absent.arrow}", /there is no .*absent.arrow/],
  ])("refuses %s", (text, message) => {
    expect(complaints(minimal + text)).toMatch(message);
  });

  test("needs held-out rows", () => {
    expect(complaints("model: model\ndata: {train: train.jsonl}\n")).toMatch(/data.validation is missing/);
  });

  test("shipped with the package is right", () => {
    const paths = [`model=${join(root, "models/tiny")}`, "data.train=train.jsonl", "data.validation=held.jsonl"];
    for (const name of ["quickstart", "paper-gsm8k-llama3-8b"]) {
      const { config } = loadConfig(definition, join(root, `configs/cdpo/${name}.yaml`), { set: paths, folder });
      for (const { objective } of [mainCdpoArm(config), ...config.compare])
        expect(objectiveOf(objective) === undefined).toBe(objective.form === "sft-chosen");
    }
  });

  test("can name every form, each of which makes an objective", () => {
    for (const form of cdpoForms) expect(objectiveOf({ form }) === undefined).toBe(form === "sft-chosen");
  });
});
