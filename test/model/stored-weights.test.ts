import { appendFileSync, mkdtempSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  createAdapter,
  forward,
  generate,
  gradientStore,
  loadModel,
  mergeAdapter,
  readModelFacts,
  saveModel,
  withAdapter,
  type LoraOptions,
  type Model,
} from "../../src/model/index.ts";
import { loraSettings } from "../../src/model/adapters/options.ts";
import { weightsInMemory } from "../../src/model/adapters/weights-in-memory.ts";
import { saveMerged } from "../../src/model/adapters/save-merged.ts";
import { type LoadOptions } from "../../src/model/model.ts";
import { trainableShare } from "../../src/model/adapters/with-adapter.ts";
import { createDecoder, type Decoder } from "../../src/model/decoder.ts";
import { openWeights } from "../../src/model/weights/index.ts";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { widenedValues } from "../../src/tensor/stored-weight.ts";
import { userError } from "../user-error.ts";
import { fillB } from "./adapters/adapters.ts";
import { batchOf as batchWithMarks } from "./reference.ts";

const tiny = join(import.meta.dirname, "../../models/tiny");
const gguf = join(import.meta.dirname, "../fixtures/weights/tiny.gguf");
const folder = mkdtempSync(join(tmpdir(), "stored-weights-"));
const half = join(folder, "half");

beforeAll(async () => {
  await useEngine("cpu", { threads: 2 });
  const model = await loadModel(tiny);
  await saveModel(model, half, { card: "models/tiny, rounded.", dtype: "bfloat16" });
  model.dispose();
});
afterAll(() => {
  releaseEngine();
  rmSync(folder, { recursive: true });
});

const texts = [
  [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  [20, 21, 22, 23, 24, 25],
];

const batchOf = (rows: number[][]) =>
  batchWithMarks(
    rows,
    rows.map((row) => row.map((_, i) => Number(i > 1))),
  );

/** Log-probabilities, and gradients of all that is trained, as bits. */
async function bitsOf(model: Decoder, gradientCheckpointing: boolean): Promise<Record<string, string>> {
  const batch = batchOf(texts.map((text) => text.map((id) => id % model.config.vocabularySize)));
  const gradients = gradientStore();
  using pass = forward(model, batch, { gradients, entropy: true, gradientCheckpointing });
  const { logProb, entropy } = await pass.read(["logProb", "entropy"]);
  pass.backward({ logProb: Float32Array.from(batch.response, (mark) => -mark / 7) });
  const bits = (values: Float32Array): string => Buffer.from(values.slice().buffer).toString("base64");
  const found: Record<string, string> = { logProb: bits(logProb!), entropy: bits(entropy!) };
  for (const { name, variable } of model.parameters) {
    const gradient = gradients.get(variable);
    if (gradient !== undefined) found[name] = bits(await gradient.data<"float32">());
  }
  gradients.clear();
  return found;
}

async function adapted(
  options: LoadOptions,
  changes: Partial<LoraOptions> = {},
): Promise<Model & { trunk: Model; free(): void }> {
  const trunk = await loadModel(half, options);
  const adapter = await createAdapter(trunk, { rank: 4, seed: 2, dropout: 0.1, ...changes });
  fillB(adapter, 3);
  // what is trained as a whole is no longer what it was
  for (const { variable } of adapter.copies) tf.tidy(() => variable.assign(tf.mul(variable, 1.25)));
  const model = withAdapter(trunk, adapter);
  model.adapter.startStep(1);
  return { ...model, free: () => [model, trunk].forEach((each) => each.dispose()) };
}

describe("a model whose weights stay in their files", () => {
  test.each([false, true])(
    "under an adapter has the bits of one in memory, checkpointing %s",
    async (checkpointing) => {
      const [inFile, inMemory] = [await adapted({ weights: "as-stored" }), await adapted({})];
      expect(inFile.trunk.stored).toHaveLength(4 * 7 + 1);
      expect(inMemory.trunk.stored).toBeUndefined();
      const found = await bitsOf(inFile, checkpointing);
      expect(Object.keys(found)).toHaveLength(2 + 4 * 7 * 2);
      expect(found).toEqual(await bitsOf(inMemory, checkpointing));
      expect(trainableShare(inFile)).toEqual(trainableShare(inMemory));
      inFile.free();
      inMemory.free();
    },
  );

  test("of a GGUF file has the bits of one in memory", async () => {
    const source = await openWeights(gguf);
    const read = await createDecoder(source.config, source.read);
    const stored = await createDecoder(source.config, (name) => source.stored(name) ?? source.read(name));
    expect(stored.stored!.length).toBeGreaterThan(0);
    for (const { name, weight } of stored.stored!) expect(widenedValues(weight)).toEqual(await source.read(name));
    const bits = [];
    for (const trunk of [read, stored]) {
      const adapter = await createAdapter(trunk, { rank: 2, seed: 2 });
      fillB(adapter, 3);
      const model = withAdapter(trunk, adapter);
      bits.push(await bitsOf(model, false));
      model.dispose();
      trunk.dispose();
    }
    expect(bits[1]).toEqual(bits[0]);
    await source.close();
  });

  test("generates what one in memory does, and is saved as it came", async () => {
    const [inFile, inMemory] = [await loadModel(half, { weights: "as-stored" }), await loadModel(half)];
    const answers = await Promise.all(
      [inFile, inMemory].map((model) => generate(model, texts, { maxNewTokens: 8, temperature: 0 })),
    );
    expect(answers[0]).toEqual(answers[1]);
    const copy = join(folder, "copy");
    await saveModel(inFile, copy, { card: "A copy." });
    expect(readFileSync(join(copy, "model.safetensors"))).toEqual(readFileSync(join(half, "model.safetensors")));
    inFile.dispose();
    inMemory.dispose();
  });

  test("is frozen without an adapter", async () => {
    const model = await loadModel(half, { weights: "as-stored" });
    expect(Object.keys(await bitsOf(model, false))).toEqual(["logProb", "entropy"]);
    model.dispose();
  });

  test.each<Partial<LoraOptions>>([
    {},
    { targetModules: ["q_proj"], dora: true },
    { modulesToSave: ["norm"] },
    { modulesToSave: ["lm_head"] },
    { modulesToSave: ["embed_tokens", "lm_head"] },
    { targetModules: ["q_proj", "embed_tokens"] },
    { targetModules: ["q_proj", "lm_head"] },
  ])("is written with its adapter merged as one in memory is: %j", async (changes) => {
    const config = (await readModelFacts(half)).config;
    const needed = weightsInMemory(config, loraSettings({ rank: 4, ...changes }, config));
    const inFile = await adapted({ weights: "as-stored", inMemory: needed }, changes);
    const inMemory = await adapted({}, changes);
    const [one, other] = ["one", "other"].map((name) => join(folder, `${name}-${JSON.stringify(changes).length}`)) as [
      string,
      string,
    ];
    await saveMerged(inFile as never, one, { card: "Merged.", dtype: "float32" });
    const merged = await mergeAdapter(inMemory as never);
    await saveModel(merged.model as Model, other, { card: "Merged.", dtype: "float32" });
    const [written, asked] = [one, other].map((path) => readFileSync(join(path, "model.safetensors")));
    expect(written!.equals(asked!)).toBe(true);
    expect(readFileSync(join(one, "config.json"), "utf8")).toBe(readFileSync(join(other, "config.json"), "utf8"));
    await expect(mergeAdapter(inFile as never)).rejects.toThrow(userError("adapted-model"));
    inFile.free();
    inMemory.trunk.dispose();
  });

  test("is refused by adapters that need a weight in memory, but for that weight", async () => {
    const trunk = await loadModel(half, { weights: "as-stored" });
    for (const options of [{ dora: true }, { targetModules: ["embed_tokens"] }, { modulesToSave: ["lm_head"] }])
      await expect(createAdapter(trunk, { rank: 2, ...options })).rejects.toThrow(userError("adapted-model"));
    trunk.dispose();
    const inMemory = new Set(["model.embed_tokens.weight"]);
    const partly = await loadModel(half, { weights: "as-stored", inMemory });
    expect(partly.stored).toHaveLength(4 * 7);
    (await createAdapter(partly, { rank: 2, targetModules: ["embed_tokens", "q_proj"] })).dispose();
    partly.dispose();
  });

  test("is not computed with once its file has changed", async () => {
    const changing = join(folder, "changing");
    const first = await loadModel(half);
    await saveModel(first, changing, { card: "To be changed." });
    first.dispose();
    const model = await loadModel(changing, { weights: "as-stored" });
    const run = (): unknown => forward(model, batchOf(texts), { gradients: null })[Symbol.dispose]();
    run();
    utimesSync(join(changing, "model.safetensors"), 1, 1);
    expect(run).toThrow(userError("file-changed", "model.safetensors"));
    appendFileSync(join(changing, "model.safetensors"), "more");
    expect(run).toThrow(userError("file-changed", "model.safetensors"));
    model.dispose();
  });
});
