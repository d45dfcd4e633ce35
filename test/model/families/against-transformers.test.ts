import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseDecoderConfig } from "../../../src/model/config-file.ts";
import { families } from "../../../src/model/families/index.ts";
import { turnedValues, turnedWeights } from "../../../src/model/weights/orientation.ts";
import { forward, generate, gradientStore, loadModel, type Model } from "../../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { distance, readTensors } from "../reference.ts";
import { batchOfRows, errorsOf, fixtures, logitsBehind, named, padded } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);

const expectNear = errorsOf("transformers");

test.each(families.map(({ modelType }) => [modelType]))("the family %s has fixtures, tied and untied", (modelType) => {
  const own = fixtures.filter(({ family }) => family === modelType);
  const tied = own.map(({ folder }) => readConfig(folder, "config.json").tiedOutput);
  expect(new Set(tied)).toEqual(new Set([true, false]));
});

function readConfig(folder: string, file: string): ReturnType<typeof parseDecoderConfig> {
  return parseDecoderConfig(JSON.parse(readFileSync(join(folder, file), "utf8")), file);
}

describe.each(named)("the model %s, as transformers computes it", (name, fixture) => {
  const { expected, folder } = fixture;
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model.dispose());

  test("is the same under the configuration of transformers 4", () => {
    expect(readConfig(folder, "config-4.json")).toEqual(readConfig(folder, "config.json"));
  });

  test("logits behind each row", async () => {
    const texts = logitsBehind(model, expected.rows.length);
    const found = await texts.start(expected.rows.map(({ ids }, place) => ({ ids, place, forbidden: [] })));
    texts.dispose();
    found.forEach((logits, row) => expectNear(name, "logits", distance(logits, expected.logits[row]!), 1e-4));
  });

  test("-log p and entropy of every token", async () => {
    using pass = forward(model, batchOfRows(fixture), { gradients: null, entropy: true, positions: "all" });
    const { logProb, entropy } = await pass.read(["logProb", "entropy"]);
    const { response } = batchOfRows(fixture);
    const onResponse = entropy.map((value, i) => value * response[i]!);
    expectNear(
      name,
      "nll",
      distance(
        logProb.map((value) => -value),
        padded(expected.nll),
      ),
      1e-4,
    );
    expectNear(name, "entropy", distance(onResponse, padded(expected.entropy)), 1e-4);
  });

  test("attention on the prompt", async () => {
    for (const { layer, mass } of expected.promptAttention) {
      using pass = forward(model, batchOfRows(fixture), { gradients: null, promptAttention: { layer } });
      const { promptAttention } = await pass.read(["promptAttention"]);
      expectNear(name, "prompt attention", distance(promptAttention, padded(mass)), 1e-4);
    }
  });

  test.each([[false], [true]])("the gradient of every parameter; computing blocks again: %s", async (recompute) => {
    const gradients = gradientStore();
    const batch = batchOfRows(fixture);
    using pass = forward(model, batch, { gradients, gradientCheckpointing: recompute });
    await pass.read(["logProb"]);
    const count = batch.response.reduce((sum, mark) => sum + mark, 0);
    pass.backward({ logProb: Float32Array.from(batch.response, (mark) => -mark / count) });
    const wanted = await readTensors(join(folder, "gradients.safetensors"));
    const turned = turnedWeights(model.config);
    const ofAll = Math.hypot(...[...wanted.values()].map((values) => Math.hypot(...values)));
    expect(model.parameters.map((parameter) => parameter.name).sort()).toEqual([...wanted.keys()].sort());
    for (const { name: tensor, variable } of model.parameters) {
      const found = await gradients.get(variable)!.data<"float32">();
      const inFile = wanted.get(tensor)!;
      const exact = turned.has(tensor) ? turnedValues(inFile, variable.shape.toReversed()) : inFile;
      expectNear(name, "gradient", distance(found, exact), 1e-4);
      const norm = Math.max(Math.hypot(...exact), 1e-3 * ofAll); // that of a key's bias without rotation is 0
      expectNear(name, "gradient, relative L2", Math.hypot(...exact.map((value, i) => found[i]! - value)) / norm, 1e-5);
    }
    gradients.clear();
  });

  test("a row alone as within the batch", async () => {
    const signals = ["logProb", "entropy", "promptAttention"] as const;
    const facts = { gradients: null, entropy: true, promptAttention: { layer: 0 } };
    const batch = batchOfRows(fixture);
    using together = forward(model, batch, facts);
    const all = await together.read(signals);
    for (const row of expected.rows.keys()) {
      const single = batchOfRows(fixture, [row]);
      using alone = forward(model, single, facts);
      const own = await alone.read(signals);
      for (const signal of signals) {
        const inBatch = all[signal].subarray(row * batch.width, row * batch.width + single.width);
        expect(distance(own[signal], inBatch)).toBeLessThan(1e-5);
      }
    }
  });

  test("40 greedy tokens, as far as no two are equally likely", async () => {
    const prompts = expected.greedy.map(({ prompt }) => prompt);
    const found = await generate(model, prompts, { maxNewTokens: 40, stop: [] });
    expected.greedy.forEach(({ ids, gaps }, i) => {
      const clear = gaps.findIndex((gap) => gap <= 1e-4);
      const count = clear < 0 ? ids.length : clear;
      expect(count).toBeGreaterThan(20);
      expect(found[i]!.ids.slice(0, count)).toEqual(ids.slice(0, count));
    });
  });
});
