import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../src/system/errors.ts";
import { createModel, freshModelFacts, generate, loadModel, saveModel, type Model } from "../../src/model/index.ts";
import { fixture, readReference } from "./reference.ts";

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = mkdtempSync(join(tmpdir(), "model-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function weightsOf(model: Model): Promise<[string, Float32Array][]> {
  return Promise.all(
    model.parameters.map(
      async ({ name, variable }) => [name, await variable.data<"float32">()] as [string, Float32Array],
    ),
  );
}

describe("a model folder", () => {
  test("is loaded with its tokenizer, ready to generate", async () => {
    const model = await loadModel(fixture("tied"));
    expect(model.source).toBe(fixture("tied"));
    expect(model.tokenizer.encode("w20 w5")).toEqual([20, 5]);
    const { prompt, ids } = readReference("tied").greedy[0]!;
    const [row] = await generate(model, [prompt], { maxNewTokens: 14 });
    expect(row).toEqual({ ids, finished: true });
    model.dispose();
  });

  test("saved and loaded again is the same model", async () => {
    const before = tf.memory().numTensors;
    const model = await loadModel(fixture("tied"));
    const saved = join(folder, "saved");
    await saveModel(model, saved, { card: "# A tiny model\n" });
    const again = await loadModel(saved);
    expect(await weightsOf(again)).toEqual(await weightsOf(model));
    expect(again.config).toEqual(model.config);
    expect(again.fingerprint).toBe(model.fingerprint);
    expect(again.tokenizer.fingerprint).toBe(model.tokenizer.fingerprint);
    expect(readFileSync(join(saved, "README.md"), "utf8")).toBe("# A tiny model\n");
    model.dispose();
    again.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("has another fingerprint after its weights have changed", async () => {
    const model = await loadModel(fixture("tied"));
    const gain = model.layers[0]!.attentionGain;
    tf.tidy(() => gain.assign(tf.mul(gain, 2)));
    await saveModel(model, join(folder, "changed"), { card: "" });
    const changed = await loadModel(join(folder, "changed"));
    expect(changed.fingerprint).not.toBe(model.fingerprint);
    model.dispose();
    changed.dispose();
  });

  test("that cannot be loaded is a clear error and leaves no tensor", async () => {
    const before = tf.memory().numTensors;
    await expect(loadModel(join(folder, "nowhere"))).rejects.toThrow(UserError);
    await expect(loadModel(fixture("untied"))).rejects.toThrow(UserError); // has no tokenizer
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("a new model", () => {
  test("is named by configuration, tokenizer and seed", async () => {
    const { config, tokenizer, dispose } = await loadModel(fixture("tied"));
    dispose();
    const models = [
      await createModel(config, tokenizer, { seed: 1 }),
      await createModel(config, tokenizer, { seed: 1 }),
      await createModel(config, tokenizer, { seed: 2 }),
    ];
    const [a, again, b] = models.map(({ fingerprint }) => fingerprint);
    expect(again).toBe(a);
    expect(b).not.toBe(a);
    expect(freshModelFacts(config, tokenizer, { seed: 1 })).toEqual({ config, tokenizer, fingerprint: a });
    expect(await weightsOf(models[1]!)).toEqual(await weightsOf(models[0]!));
    models.forEach((model) => model.dispose());
  });
});
