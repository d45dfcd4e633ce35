import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { createAdapter, withAdapter, type Model } from "../../src/model/index.ts";
import { isAdapted } from "../../src/model/adapters/with-adapter.ts";
import {
  loadTokenRewardModel,
  saveTokenRewardModel,
  tokenRewardModel,
  type TokenRewardModel,
} from "../../src/reward/model/index.ts";
import { fillB, scratchFolder } from "../model/adapters/adapters.ts";
import { batchOf, openModel, readJson, type Reference } from "../training/reference.ts";
import { userError } from "../user-error.ts";

const scratch = scratchFolder();
const batch = batchOf(readJson<Reference>("reference.json"), [0, 2, 3]);
const card = "# A reward model\n";

async function scoresOf(model: TokenRewardModel): Promise<Float32Array> {
  using pass = model.pass(batch, null);
  return (await pass.read(["score"])).score;
}

/** Something to tell from zero. */
function fillHead({ head }: TokenRewardModel): void {
  const values = Float32Array.from({ length: head.weight.size }, (_, i) => Math.sin(i + 1));
  tf.tidy(() => head.weight.assign(tf.tensor2d(values, head.weight.shape)));
}

/** An adapter over a trunk that a policy shares. */
async function adapted(trunk: Model): Promise<TokenRewardModel<Model>> {
  const adapter = await createAdapter(trunk, { rank: 2, seed: 3 });
  fillB(adapter, 4);
  return tokenRewardModel(withAdapter(trunk, adapter));
}

describe("a token reward model", () => {
  test("starts with the score 0 for every token", async () => {
    const model = tokenRewardModel(await openModel("tied"));
    expect((await scoresOf(model)).every((score) => score === 0)).toBe(true);
    model.dispose();
  });

  test("is the same after it was saved as a folder: a PEFT adapter and a head", async () => {
    const trunk = await openModel("tied");
    const model = await adapted(trunk);
    fillHead(model);
    const folder = scratch("adapter-and-head");
    await saveTokenRewardModel(model, folder, { card });
    expect(readdirSync(folder).sort()).toEqual(["adapter", "head.safetensors"]);
    expect(readdirSync(join(folder, "adapter"))).toContain("adapter_config.json");
    const loaded = await loadTokenRewardModel(folder, trunk);
    expect(await scoresOf(loaded)).toEqual(await scoresOf(model));
    await expect(loadTokenRewardModel(folder)).rejects.toThrow(userError("missing-model", "adapter-and-head/adapter"));
    loaded.dispose();
    model.dispose();
    trunk.dispose();
  });

  test("is the same after it was saved as a folder: a whole model and a head", async () => {
    const model = tokenRewardModel(await openModel("tied"));
    fillHead(model);
    const folder = scratch("model-and-head");
    await saveTokenRewardModel(model, folder, { card });
    const loaded = await loadTokenRewardModel(folder);
    expect(isAdapted(loaded.decoder)).toBe(false);
    expect(await scoresOf(loaded)).toEqual(await scoresOf(model));
    loaded.dispose();
    model.dispose();
  });

  test("knows where its scores were read in training, if it was saved with that", async () => {
    const model = tokenRewardModel(await openModel("tied"));
    const folder = scratch("score-at");
    const scoreAt = async () => {
      const loaded = await loadTokenRewardModel(folder);
      loaded.dispose();
      return loaded.scoreAt;
    };
    await saveTokenRewardModel(model, folder, { card, scoreAt: "before" });
    expect(await scoreAt()).toBe("before");
    writeFileSync(join(folder, "reward-model.json"), "{}");
    await expect(scoreAt()).rejects.toThrow(userError("unsupported-file", "reward-model.json"));
    await saveTokenRewardModel(model, folder, { card });
    expect(await scoreAt()).toBeUndefined();
    await expect(loadTokenRewardModel(scratch("nowhere"))).rejects.toThrow(userError("missing-model", "nowhere"));
    model.dispose();
  });

  test("of another width is refused with one message, and frees what it loaded", async () => {
    const model = tokenRewardModel(await openModel("tied"));
    const folder = scratch("other-width");
    await saveTokenRewardModel(model, folder, { card });
    const narrow = Buffer.from(
      JSON.stringify({ "score.weight": { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] } }),
    );
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(narrow.length));
    writeFileSync(join(folder, "head.safetensors"), Buffer.concat([size, narrow, Buffer.alloc(8)]));
    const before = tf.memory().numTensors;
    await expect(loadTokenRewardModel(folder)).rejects.toThrow(
      userError("model-mismatch", "head.safetensors: there are 2 numbers in score.weight, expected 12"),
    );
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  test("is the same after its state was saved and restored, trunk left out", async () => {
    const trunk = await openModel("tied");
    const [model, other] = [await adapted(trunk), await adapted(trunk)];
    fillHead(model);
    const state = await model.save();
    expect(Object.keys(state)).toHaveLength(model.parameters.length);
    expect(Object.keys(state).every((name) => name === "score.weight" || name.includes(".lora_"))).toBe(true);
    other.restore(state);
    expect(await scoresOf(other)).toEqual(await scoresOf(model));
    expect(() => other.restore({ ...state, "score.weight": new Float32Array(3) })).toThrow(
      userError("damaged-checkpoint", "score.weight"),
    );
    for (const part of [model, other, trunk]) part.dispose();
  });
});
