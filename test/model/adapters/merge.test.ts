import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import {
  createAdapter,
  loadAdapter,
  loadModel,
  mergeAdapter,
  saveModel,
  withAdapter,
} from "../../../src/model/index.ts";
import { distance, fixture, logitsOf, openDecoder } from "../reference.ts";
import { userError } from "../../user-error.ts";
import {
  adapterFixture,
  adapterFixtures,
  fillB,
  firstText,
  peftLogits,
  peftReference,
  scratchFolder,
} from "./adapters.ts";

const scratch = scratchFolder();

describe("a merged adapter", () => {
  test.each(adapterFixtures())("gives the logits of the model with the adapter %s, and PEFT's", async (name) => {
    const held = tf.memory().numTensors;
    const below = peftReference(name).model;
    const base = await openDecoder(below);
    const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
    const text = firstText(below);
    const before = (await logitsOf(model, text)).flat();
    const check = await mergeAdapter(model, { text });
    const after = (await logitsOf(check.model, text)).flat();
    expect(distance(after, before) / check.largestLogit).toBeLessThan(1e-5);
    expect(distance(after, peftLogits(name).flat()) / check.largestLogit).toBeLessThan(1e-5);
    expect(check.largestDifference).toBe(distance(after, before));
    expect(check.largestLogit).toBe(Math.max(...before.map(Math.abs)));
    check.model.dispose();
    expect(tf.memory().numTensors).toBe(held);
  });

  test.each(["tied-embedding", "tied-embeddings", "saved"])(
    "of %s is saved with an output projection of its own, in the format of the embedding",
    async (name) => {
      const base = await loadModel(fixture("tied"));
      const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
      const { model: merged } = await mergeAdapter(model);
      expect(merged.config.tiedOutput).toBe(false);
      expect(merged.origin!.types.get("lm_head.weight")).toBe(base.origin!.types.get("model.embed_tokens.weight"));
      await saveModel(merged, scratch(name), { card: "" });
      const saved = await loadModel(scratch(name));
      const text = firstText("tied");
      expect(saved.config.tiedOutput).toBe(false);
      expect(await logitsOf(saved, text)).toEqual(await logitsOf(merged, text));
      saved.dispose();
      merged.dispose();
    },
  );

  test("is part of the model that is saved", async () => {
    const base = await loadModel(fixture("tied"));
    const model = withAdapter(base, await loadAdapter(adapterFixture("tied"), base));
    expect(model.fingerprint).not.toBe(base.fingerprint);
    await expect(saveModel(model, scratch("refused"), { card: "" })).rejects.toThrow(
      userError("adapted-model", "saveAdapter"),
    );
    await mergeAdapter(model);
    await saveModel(model.trunk, scratch("merged"), { card: "" });
    const merged = await loadModel(scratch("merged"));
    expect(await logitsOf(merged, firstText("tied"))).toEqual(await logitsOf(base, firstText("tied")));
    merged.dispose();
    base.dispose();
  });

  test("is freed, and nothing else is left behind", async () => {
    const before = tf.memory().numTensors;
    const base = await openDecoder("tied");
    const held = tf.memory().numTensors;
    const adapter = await createAdapter(base, { rank: 2 });
    fillB(adapter, 1);
    await mergeAdapter(withAdapter(base, adapter));
    expect(tf.memory().numTensors).toBe(held);
    adapter.dispose();
    base.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("may round by a hundredth of what the adapter changes, and no more", async () => {
    const text = firstText("tied");
    const merging = async (factor: number) => {
      const base = await openDecoder("tied");
      const adapter = await createAdapter(base, { rank: 2 });
      fillB(adapter, 1);
      const changes = adapter.changes.map((change) => ({ ...change, scaling: change.scaling * factor }));
      const model = { ...withAdapter(base, adapter), adapter: { ...adapter, changes } }; // computes by its own scaling
      try {
        return await mergeAdapter(model, { text });
      } finally {
        adapter.dispose();
        base.dispose();
      }
    };
    const { largestDifference, largestLogit } = await merging(1.004);
    expect(largestDifference).toBeGreaterThan(1e-4 * largestLogit); // what was refused whatever the adapter changes
    await expect(merging(1.05)).rejects.toThrow(userError("unmergeable-adapter", "would be rounding"));
  });

  test("that changes the logits is taken out again, bit for bit", async () => {
    const base = await openDecoder("tied");
    const adapter = await createAdapter(base, { rank: 2 });
    fillB(adapter, 1);
    const model = withAdapter(base, adapter);
    const text = firstText("tied");
    const [ofBase, ofModel] = [await logitsOf(base, text), await logitsOf(model, text)];
    const held = tf.memory().numTensors;
    await expect(mergeAdapter(model, { text, tolerance: 0 })).rejects.toThrow(userError("unmergeable-adapter"));
    expect(tf.memory().numTensors).toBe(held);
    expect(await logitsOf(base, text)).toEqual(ofBase);
    expect(await logitsOf(model, text)).toEqual(ofModel);
    model.dispose();
    base.dispose();
  });
});
