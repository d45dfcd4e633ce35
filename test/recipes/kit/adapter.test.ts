import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/index.ts";
import { hubIdOf } from "../../../src/model/adapters/hub-base.ts";
import { createAdapter, loadModel, saveAdapter, withAdapter, type Model } from "../../../src/model/index.ts";
import { loraSettings } from "../../../src/model/adapters/options.ts";
import { isAdapted } from "../../../src/model/adapters/with-adapter.ts";
import { adapterOptions, startOf, trainable } from "../../../src/recipes/kit/adapter.ts";
import { adapterCardText } from "../../../src/recipes/kit/card.ts";
import { finetuneRecipe } from "../../../src/recipes/finetune/recipe.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { adapterFixture, fillB, firstText } from "../../model/adapters/adapters.ts";
import { fixture, logitsOf } from "../../model/reference.ts";
import { userError } from "../../user-error.ts";
import { writeConfig } from "../small-run.ts";

let folder: string;
let trunk: Model;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-adapter-"));
  await useEngine("cpu", { threads: 1 });
  trunk = await loadModel(fixture("tied"));
});
afterAll(() => {
  trunk.dispose();
  releaseEngine();
  rmSync(folder, { recursive: true });
});

const text = firstText("tied");
const saved = adapterFixture("tied-embeddings");

describe("an adapter of a configuration", () => {
  test("starts from a saved one, with its rank, alpha and modules", async () => {
    const model = await trainable(trunk, { from: saved, dropout: 0.1 }, 7);
    if (!isAdapted(model)) throw new Error("there is no adapter");
    expect(model.adapter.settings).toMatchObject({ rank: 2, alpha: 5, dropout: 0.1, seed: 7 });
    expect(model.adapter.settings.targetModules).toContain("lm_head");
    const start = await startOf(trunk, { from: saved, dropout: 0.1 });
    expect(await logitsOf(start.model, text)).toEqual(await logitsOf(model, text));
    expect(await logitsOf(start.model, text)).not.toEqual(await logitsOf(trunk, text));
    expect(start.model.fingerprint).not.toBe(trunk.fingerprint);
    start.release();
    model.dispose();
  });

  test("that is fresh starts from the model below it", async () => {
    expect((await startOf(trunk, { rank: 4 })).model).toBe(trunk);
    expect((await startOf(trunk, undefined)).model).toBe(trunk);
    expect(await trainable(trunk, undefined, 1)).toBe(trunk);
  });

  test("is what memory is estimated for, also where a folder says it", () => {
    const { adapter } = adapterOptions(trunk.config, { from: saved });
    expect(loraSettings(adapter!, trunk.config).targetModules).toHaveLength(4); // two embeddings, k of two layers
    expect(adapterOptions(trunk.config, { rank: 3, baseModel: "a/b" })).toEqual({ adapter: { rank: 3 } });
    expect(() => adapterOptions(trunk.config, { from: folder })).toThrow(userError("not-an-adapter", folder));
  });
});

describe("the base model", () => {
  const baseIn = (name: string): unknown =>
    (JSON.parse(readFileSync(join(folder, name, "adapter_config.json"), "utf8")) as Record<string, unknown>)[
      "base_model_name_or_path"
    ];

  test("is named by the configuration, or not at all: never by a path", async () => {
    for (const [name, config, base] of [
      ["named", { rank: 1, baseModel: "account/tiny" }, "account/tiny"],
      ["unnamed", { rank: 1 }, null],
      ["of-a-path", { from: adapterFixture("tied") }, null], // whose base is called "tied"
      ["renamed", { from: adapterFixture("tied"), baseModel: "account/tiny" }, "account/tiny"],
    ] as const) {
      const model = await trainable(trunk, config, 1);
      if (!isAdapted(model)) throw new Error("there is no adapter");
      await saveAdapter(model, join(folder, name), { card: "" });
      model.dispose();
      expect(baseIn(name)).toBe(base);
    }
  });

  test("is known of a folder in the hub's cache", () => {
    expect(hubIdOf("/home/me/.cache/huggingface/hub/models--HuggingFaceTB--SmolLM2-135M/snapshots/93ef/")).toBe(
      "HuggingFaceTB/SmolLM2-135M",
    );
    expect(hubIdOf("models/SmolLM2-135M")).toBeUndefined();
    expect(hubIdOf(undefined)).toBeUndefined();
  });

  test("is in the card with the lines that load the adapter, or advice", () => {
    const card = { title: "An adapter", facts: ["12 steps"], command: "tokensift train" };
    const named = adapterCardText(card, "account/tiny");
    expect(named).toMatch(/^---\nlibrary_name: peft\nbase_model: account\/tiny\n/);
    expect(named).toContain("AutoPeftModelForCausalLM.from_pretrained");
    const unnamed = adapterCardText(card, undefined);
    expect(unnamed).toContain("adapter.baseModel");
    expect(unnamed).toContain("PeftModel.from_pretrained(base");
    expect(unnamed).not.toContain("base_model:");
  });
});

describe("keys of an adapter", () => {
  const load = (adapter: object) =>
    loadConfig(
      finetuneRecipe.config,
      writeConfig(folder, {
        model: fixture("tied"),
        data: { train: adapterFixture("tied", "reference.json") },
        adapter,
      }),
    ).config.adapter;

  test("have the rank alone filled in, and none beside a saved one", () => {
    expect(load({})).toEqual({ rank: 16 });
    expect(load({ from: saved, dropout: 0.1 })).toEqual({ from: saved, dropout: 0.1 });
    const all = {
      ...{ rank: 4, alpha: 8, rsLora: true, dora: true, dropout: 0, layers: [1], baseModel: "account/tiny" },
      ...{ targetModules: ["q_proj", "lm_head"], excludeModules: "k_.*", modulesToSave: ["norm"] },
      ...{ rankPattern: { q_proj: 2 }, alphaPattern: { ".*_proj": 3.5 } },
    };
    expect(load(all)).toEqual(all);
  });

  test.each<[object, RegExp]>([
    [{ from: saved, rank: 2 }, /adapter\.rank cannot be given together with adapter\.from/],
    [{ from: saved, targetModules: ["q_proj"] }, /adapter\.targetModules cannot be given together with adapter\.from/],
    [{ targetModules: ["q_proj"], projections: ["k"] }, /adapter\.projections cannot be given together/],
    [{ targetModules: ".*q_proj", layers: [1] }, /adapter\.layers cannot be given together/],
    [{ projections: ["q", "gateUp"] }, /adapter\.projections\[1\] is "gateUp", which is now spelled gate-up/],
    [{ rankPattern: { q_proj: 0 } }, /adapter\.rankPattern\.q_proj/],
    [{ baseModel: "/home/me/models/tiny" }, /adapter\.baseModel/],
    [{ from: "nowhere" }, /adapter\.from/],
  ])("that contradict are refused by name: %j", (adapter, message) => {
    expect(() => load(adapter)).toThrow(userError("invalid-config", message));
  });
});

test("an adapter that was trained on starts from where it was", async () => {
  const adapter = await createAdapter(trunk, { rank: 2, dora: true, modulesToSave: ["norm"] });
  fillB(adapter, 3);
  const model = withAdapter(trunk, adapter);
  await saveAdapter(model, join(folder, "trained"), { card: "" });
  const again = await trainable(trunk, { from: join(folder, "trained") }, 1);
  expect(await logitsOf(again, text)).toEqual(await logitsOf(model, text));
  again.dispose();
  model.dispose();
});
