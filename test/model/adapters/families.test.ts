import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  createAdapter,
  forward,
  gradientStore,
  loadAdapter,
  loadModel,
  mergeAdapter,
  saveAdapter,
  saveModel,
  withAdapter,
  type Decoder,
} from "../../../src/model/index.ts";
import { attentionOf } from "../../../src/model/attention.ts";
import { decode } from "../../../src/model/decoder.ts";
import type { AttentionHook } from "../../../src/model/layer.ts";
import { outputLogits } from "../../../src/model/output.ts";
import { turnedValues, turnedWeights } from "../../../src/model/weights/orientation.ts";
import { causalAttention } from "../../../src/tensor/ops/index.ts";
import { fixtures, type FamilyFixture } from "../families/fixtures.ts";
import { batchOf, distance, readTensors } from "../reference.ts";
import { adapterFixture, fillB, scratchFolder } from "./adapters.ts";

const scratch = scratchFolder();
const named = (name: string): FamilyFixture => fixtures.find((fixture) => fixture.name === name)!;
/** What `test/fixtures/adapters/make_families.py` has computed with. */
const ids = [1, 20, 33, 5, 41, 9, 12, 44, 30, 2, 8, 17];

const length = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
const relativeDistance = (actual: ArrayLike<number>, expected: ArrayLike<number>): number =>
  length(Array.from(expected, (value, i) => value - actual[i]!)) / length(expected);

/** Logits of every token, with what the model's layers attend to. */
async function logitsOf(model: Decoder): Promise<Float32Array> {
  const tokens = Int32Array.from(ids);
  const places = Int32Array.from(ids.keys());
  const starts = Int32Array.of(0, ids.length);
  const attend: AttentionHook = (layer, q, k, v) =>
    causalAttention(q, k, v, { ...attentionOf(model.config, layer), starts }).output;
  const logits = tf.tidy(() => outputLogits(model, decode(model, { ids: tokens, positions: places, attend }, places)));
  const values = await logits.data<"float32">();
  logits.dispose();
  return values;
}

/** The gradients of `sum(t * logProb[t])`. */
async function gradientsOf(model: Decoder): Promise<Map<string, Float32Array>> {
  const batch = batchOf([ids], [ids.map((_, t) => Number(t > 0))]);
  const store = gradientStore();
  using pass = forward(model, batch, { gradients: store });
  pass.backward({ logProb: Float32Array.from(ids, (_, t) => t) });
  const found = new Map<string, Float32Array>();
  for (const { name, variable } of model.parameters) {
    const values = await store.get(variable)?.data<"float32">();
    if (values !== undefined) found.set(name, values);
  }
  store.clear();
  return found;
}

describe.each(readdirSync(adapterFixture("families")))("PEFT's adapter of %s", (name) => {
  const folder = adapterFixture("families", name);

  test("gives PEFT's logits and gradients, before and after it is saved, and merged", async () => {
    const base = await loadModel(named(name).folder);
    const model = withAdapter(base, await loadAdapter(folder, base));
    const expected = await readTensors(join(folder, "expected.safetensors"));
    const logits = expected.get("logits")!;
    expected.delete("logits");
    const largest = Math.max(...logits.map(Math.abs));
    expect(distance(await logitsOf(model), logits) / largest).toBeLessThan(1e-5);
    expect(distance(await logitsOf(base), logits) / largest).toBeGreaterThan(1e-3); // the adapter matters
    const gradients = await gradientsOf(model);
    expect([...gradients.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [parameter, values] of expected) {
      const variable = model.adapter.parameters.find((known) => known.name === parameter)!.variable;
      const isTurned = turnedWeights(model.config).has(parameter.replace("base_model.model.", ""));
      const theirs = isTurned ? turnedValues(values, variable.shape.toReversed()) : values;
      expect([parameter, relativeDistance(gradients.get(parameter)!, theirs) < 1e-5]).toEqual([parameter, true]);
    }

    await saveAdapter(model, scratch(name), { card: "" });
    const theirs = await readTensors(join(folder, "adapter_model.safetensors"));
    for (const key of [...theirs.keys()]) if (key.includes(".base_layer.")) theirs.delete(key); // the model's own
    expect(await readTensors(join(scratch(name), "adapter_model.safetensors"))).toEqual(theirs);

    const { model: merged } = await mergeAdapter(model, { text: ids });
    await saveModel(merged, scratch(`${name}-merged`), { card: "" });
    merged.dispose();
    const saved = await loadModel(scratch(`${name}-merged`));
    expect(distance(await logitsOf(saved), logits) / largest).toBeLessThan(1e-5);
    saved.dispose();
  });
});

test.each(fixtures.map(({ name }) => name))("a fresh adapter of all of %s is saved and read again", async (name) => {
  const base = await loadModel(named(name).folder);
  const adapter = await createAdapter(base, { rank: 2, dora: true });
  fillB(adapter, 1);
  const model = withAdapter(base, adapter);
  await saveAdapter(model, scratch(`own-${name}`), { card: "" });
  const again = withAdapter(base, await loadAdapter(scratch(`own-${name}`), base));
  expect(again.adapter.settings).toEqual(adapter.settings);
  expect(await logitsOf(again)).toEqual(await logitsOf(model));
  again.dispose();
  model.dispose();
  base.dispose();
});
