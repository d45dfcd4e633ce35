import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { namesOf } from "../../../src/config/catalogue.ts";
import { evictionScores } from "../../../src/eviction/index.ts";
import { openScores } from "../../../src/recipes/attention-gate/answers.ts";
import { attentionGateDefinition, baselineNames } from "../../../src/recipes/attention-gate/config.ts";
import { configFolder, reader } from "../../config/folder.ts";
import { userError } from "../../user-error.ts";

const definition = attentionGateDefinition();
const folder = configFolder("model", "rows.jsonl", "held.jsonl");
const { load, complaints } = reader(definition, folder);

const unheld = "model: model\ndata: {train: rows.jsonl}\n";
const minimal = "model: model\ndata: {train: rows.jsonl, validation: held.jsonl}\n";

describe("an attention-gate configuration", () => {
  test("fills in what depends on other keys, and is the same when it is read again", () => {
    const { config, resolvedYaml } = load(`${minimal}training: {learningRate: 0.002}\n`);
    expect(config.gates).toMatchObject({ rows: "prompts", learningRate: 0.002, sinks: 4, window: 16 });
    expect(config.gates).toMatchObject({ objective: "end-to-end", kind: "attention", input: "hidden", threshold: 0.5 });
    expect(config.evaluation.keep).toBeUndefined();
    expect(config.compare).toEqual(["control"]);
    expect(config.evaluation.baselines.map(({ method }) => method)).toEqual(namesOf(evictionScores));
    expect(config.evaluation.baselines[0]).toEqual({ method: "streaming-llm", sinks: 4 });
    expect(load(resolvedYaml).config).toEqual(config);
  });

  test("of mode pretrain foresees attention in text, without control, and is the same when it is read again", () => {
    const { config, resolvedYaml } = load(`${unheld}mode: pretrain\n`);
    expect(config.gates).toMatchObject({ rows: "text", objective: "future", target: "peak" });
    expect(config.gates).toMatchObject({ kind: "mlp", input: "key-value", inner: 64 });
    expect([config.gates.threshold, config.gates.relaxation, config.eviction]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(config.evaluation.keep).toEqual([0.4, 0.6, 0.25]);
    expect(config.compare).toEqual([]);
    expect(load(resolvedYaml).config).toEqual(config);
  });

  test.each(["end-to-end", "distill"])("of mode pretrain trains %s, and is the same when it is read again", (name) => {
    const { config, resolvedYaml } = load(`${unheld}mode: pretrain\ngates: {objective: ${name}}\n`);
    expect(config).toMatchObject({ gates: { relaxation: "straight-through" }, eviction: { preset: "recommended" } });
    expect(load(resolvedYaml).config).toEqual(config);
  });

  test.each([
    ["gates: {kind: linear, heads: 2}", /gates\.heads is not used: gates\.kind is linear/],
    ["gates: {inner: 2}", /gates\.inner is not used: gates\.kind is attention/],
    ["gates: {floor: 0.1}", /gates\.floor is not used: gates\.relaxation is straight-through/],
    ["gates: {temperature: 0.1}", /gates\.temperature is not used/],
    ["gates: {scope: global, rows: text}", /gates\.scope cannot be global for plain text/],
    ["gates: {objective: future}", /gates\.objective cannot be future in mode finetune/],
    ["gates: {objective: distill}", /gates\.objective cannot be distill in mode finetune/],
    [
      "mode: pretrain\ngates: {objective: distill, target: sum}",
      /gates\.target is not used: gates\.objective is distill/,
    ],
    ["mode: pretrain\ngates: {threshold: 0.4}", /gates\.threshold is not used: gates\.objective is future/],
    ["mode: pretrain\ngates: {initialKeep: 0.9}", /gates\.initialKeep is not used: gates\.objective is future/],
    ["mode: pretrain\ngates: {kind: linear, inner: 9}", /gates\.inner is not used: gates\.kind is linear/],
    [
      "mode: pretrain\neviction: {target: 0.4}",
      /eviction is not used: gates\.objective is future \(set it to end-to-end/,
    ],
    ["gates: {target: sum}", /gates\.target is not used: gates\.objective is end-to-end/],
    ["evaluation: {keep: [0.4]}", /evaluation\.keep is not used: gates\.objective is end-to-end/],
    ["mode: pretrain\nevaluation: {keep: [0]}", /evaluation\.keep\[0\] must be a number, above 0 and at most 1/],
    ["mode: pretrain\ntraining: {keepBest: 1, evaluateEvery: 1, bestMetric: referenceProbability}", /bestMetric/],
    ["mode: pretrain\nadapter: {rank: 4}", /adapter is not used: mode pretrain/],
    ["training: {gradientCheckpointing: true}", /gradientCheckpointing is not used/],
    [
      "eviction: {preset: paper}\ntraining: {batchSize: 8, microBatchSize: 4}",
      /microBatchSize must be the batch size \(8\): the eviction loss is pooled/,
    ],
    ["eviction: {target: 1.5}", /eviction\.target must be a number, at least 0 and at most 1, got 1\.5/],
    ["eviction: {targets: 0.5}", /did you mean eviction\.target\?/],
    [
      "evaluation: {baselines: [h20]}",
      /baselines\[0\] is "h20", but must be one of streaming-llm, .*did you mean h2o\?/,
    ],
    ["evaluation: {baselines: [{method: a2sf, gama: 1}]}", /did you mean evaluation\.baselines\[0\]\.gamma\?/],
    ["evaluation: {baselines: [{method: snap-kv, kernel: 4}]}", /baselines\[0\] cannot be: kernel must be odd/],
    ["evaluation: {baselines: [h2o, {method: h2o}]}", /baselines\[1\] is h2o, as one before it/],
    ["gates: {relaxation: straightThrough}", /relaxation is "straightThrough", which is now spelled straight-through/],
    ["training: {learningRate: 0}\ngates: {learningRate: 0.1}", /training\.learningRate must be above 0/],
  ])("refuses %s", (text, message) => {
    expect(complaints(`${minimal}${text}\n`)).toMatch(message);
  });

  test("names baselines of one method by their options, and takes scores of the user's own", async () => {
    const mine = resolve("test/fixtures/eviction/scores/last-first.ts");
    const list = `[h2o, {method: a2sf, gamma: 0.9}, {method: a2sf, gamma: 0.8}, ${mine}]`;
    const { baselines } = load(`${minimal}evaluation: {baselines: ${list}}\n`).config.evaluation;
    expect(baselineNames(baselines)).toEqual(["h2o", "a2sf gamma 0.9", "a2sf gamma 0.8", "last-first"]);
    expect((await openScores(baselines)).map(({ reads }) => reads)).toEqual([
      ...["attention", "attention", "attention"],
      "positions",
    ]);
  });

  test("refuses a file whose score lacks something, all of it at once", async () => {
    writeFileSync(join(folder, "bad.js"), 'export const score = { name: "", reads: "values" };');
    const { baselines } = load(`${minimal}evaluation: {baselines: [./bad.js]}\n`).config.evaluation;
    await expect(openScores(baselines)).rejects.toThrow(
      userError("invalid-module", /bad\.js: .*name .*reads .*score /),
    );
  });

  test("refuses prompts without held-out rows", () => {
    expect(complaints(unheld)).toMatch(/data\.validation is missing/);
  });
});

test.each(["quickstart", "gates-alone", "straight-through", "paper-llama2-7b"])(
  "configs/attention-gate/%s.yaml is right",
  (name) => {
    const set = [`model=${folder}/model`, `data.train=${folder}/rows.jsonl`, `data.validation=${folder}/held.jsonl`];
    expect(() => loadConfig(definition, `configs/attention-gate/${name}.yaml`, { set })).not.toThrow();
  },
);
