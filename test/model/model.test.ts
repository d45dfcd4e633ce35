import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createModel, generate, loadModel, saveModel, type Model } from "../../src/model/index.ts";
import { freshModelFacts } from "../../src/model/model.ts";
import { userError } from "../user-error.ts";
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

const jsonOf = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;

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

  test("of a Mistral is computed as a Llama of these weights and saved as a Mistral", async () => {
    const source = join(folder, "mistral");
    cpSync(fixture("tied"), source, { recursive: true });
    const path = join(source, "config.json");
    const ofLlama = ["attention_bias", "mlp_bias", "pretraining_tp"];
    const keys = Object.fromEntries(Object.entries(jsonOf(path)).filter(([key]) => !ofLlama.includes(key)));
    const own = {
      model_type: "mistral",
      architectures: ["MistralForCausalLM"],
      sliding_window: 256,
    };
    writeFileSync(path, JSON.stringify({ ...keys, ...own }));
    const model = await loadModel(source);
    const { prompt, ids } = readReference("tied").greedy[0]!;
    const [row] = await generate(model, [prompt], { maxNewTokens: 14 });
    expect(row).toEqual({ ids, finished: true });
    await saveModel(model, join(folder, "mistral-saved"), { card: "" });
    const written = jsonOf(join(folder, "mistral-saved", "config.json"));
    expect(written).toMatchObject(own);
    for (const key of ofLlama) expect(written).not.toHaveProperty(key);
    const again = await loadModel(join(folder, "mistral-saved"));
    expect(again.config).toEqual(model.config);
    expect(await weightsOf(again)).toEqual(await weightsOf(model));
    model.dispose();
    again.dispose();
  });

  test("has another fingerprint after its weights have changed", async () => {
    const model = await loadModel(fixture("tied"));
    const gain = model.layers[0]!.norms.beforeAttention!.gain;
    tf.tidy(() => gain.assign(tf.mul(gain, 2)));
    await saveModel(model, join(folder, "changed"), { card: "" });
    const changed = await loadModel(join(folder, "changed"));
    expect(changed.fingerprint).not.toBe(model.fingerprint);
    model.dispose();
    changed.dispose();
  });

  test("that cannot be loaded is a clear error and leaves no tensor", async () => {
    const before = tf.memory().numTensors;
    await expect(loadModel(join(folder, "nowhere"))).rejects.toThrow(userError("missing-model", "nowhere"));
    await expect(loadModel(fixture("untied"))).rejects.toThrow(userError("missing-tokenizer", "untied"));
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
    expect(freshModelFacts(config, tokenizer, { seed: 1 })).toEqual({
      config,
      tokenizer,
      fingerprint: a,
    });
    expect(await weightsOf(models[1]!)).toEqual(await weightsOf(models[0]!));
    models.forEach((model) => model.dispose());
  });
});
