import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { createAdapter, loadModel, saveModel, withAdapter, type Model } from "../../../src/model/index.ts";
import { openWeights, type WeightsFormat } from "../../../src/model/weights/index.ts";
import type { Card } from "../../../src/recipes/kit/card.ts";
import { saveTrained } from "../../../src/recipes/kit/save-trained.ts";
import { saveWeights } from "../../../src/training/checkpoint-weights.ts";
import { openRunFolder } from "../../../src/training/run-folder.ts";
import type { TrainingState } from "../../../src/training/state.ts";
import { fixture } from "../../model/reference.ts";

const folder = mkdtempSync(join(tmpdir(), "save-trained-"));
const source = join(folder, "bfloat16");
const norm = "model.norm.weight";
const card: Card = { title: "A model", facts: ["Start: here"], command: "tokensift train" };

beforeAll(async () => {
  const model = await loadModel(fixture("tied"));
  await saveModel(model, source, { card: "", dtype: "bfloat16" });
  model.dispose();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A model that came as bfloat16 and whose last norm was trained to what bfloat16 cannot hold: 1 + 2^-8 is a tie. */
async function trained(): Promise<Model> {
  const model = await loadModel(source);
  const { variable } = model.parameters.find(({ name }) => name === norm)!;
  tf.tidy(() => variable.assign(tf.fill(variable.shape, 1 + 2 ** -8)));
  return model;
}

/** The first number of the last norm, and the formats of all tensors, in a folder. */
async function read(path: string): Promise<{ first: number; types: string[] }> {
  const weights = await openWeights(path);
  const first = (await weights.read(norm))[0]!;
  await weights.close();
  return { first, types: [...new Set(weights.origin.types.values())] };
}

async function savedRun(name: string, save: Required<WeightsFormat>, model: Model, about: Card = card) {
  using run = openRunFolder(join(folder, name), "new");
  await saveTrained(run, model, about, save);
  const text = (path: string): string => readFileSync(join(path, "README.md"), "utf8");
  return { run, ...(await read(run.model)), text };
}

describe("a model that came as bfloat16 and was trained", () => {
  test("is saved as bfloat16, ties to even, and its card says that it was rounded", async () => {
    const model = await trained();
    const { run, first, types, text } = await savedRun("as-read", { dtype: "as-read", shardSize: "50GB" }, model);
    expect([first, types]).toEqual([1, ["bfloat16"]]);
    expect(text(run.model)).toMatch(/- Start: here\n- Weights: bfloat16 as the model came\..*rounded/);
    model.dispose();
  });

  test("is saved as it was trained where the configuration asks for it", async () => {
    const model = await trained();
    const { run, first, types, text } = await savedRun("float32", { dtype: "float32", shardSize: "2KB" }, model);
    expect([first, types]).toEqual([1 + 2 ** -8, ["float32"]]);
    expect(text(run.model)).toContain("- Weights: float32, as they were trained\n");
    model.dispose();
  });

  test("is not rounded in a checkpoint", async () => {
    const model = await trained();
    await saveWeights(join(folder, "step-1"), { model, step: 1 } as TrainingState);
    expect(await read(join(folder, "step-1/model"))).toEqual({ first: 1 + 2 ** -8, types: ["float32"] });
    model.dispose();
  });

  test("has its adapter beside it unrounded, on whose card nothing is said of that", async () => {
    const trunk = await trained();
    const model = withAdapter(trunk, await createAdapter(trunk, { rank: 2 }));
    const { run, types, text } = await savedRun("adapter", { dtype: "as-read", shardSize: "50GB" }, model);
    expect(types).toEqual(["bfloat16"]);
    expect(text(run.model)).toContain("rounded");
    expect(text(run.adapter)).toContain("- Start: here\n");
    expect(text(run.adapter)).not.toContain("rounded");
    trunk.dispose();
  });
});

describe("a chat template that the run was given", () => {
  const save = { dtype: "as-read", shardSize: "50GB" } as const;

  test("lies beside the adapter, and both cards name it", async () => {
    const trunk = await trained();
    const model = withAdapter(trunk, await createAdapter(trunk, { rank: 2 }));
    const { run, text } = await savedRun("template", save, model, { ...card, chatTemplate: "{{ given }}" });
    expect(readFileSync(join(run.adapter, "chat_template.jinja"), "utf8")).toBe("{{ given }}");
    expect(text(run.adapter)).toContain('tokenizer.chat_template = open("THIS_FOLDER/chat_template.jinja"');
    for (const path of [run.adapter, run.model])
      expect(text(path)).toMatch(/^- Chat template: .*`data\.chatTemplate`/m);
    trunk.dispose();
  });

  test("is not spoken of where there is none, nor written", async () => {
    const trunk = await trained();
    const model = withAdapter(trunk, await createAdapter(trunk, { rank: 2 }));
    const { run, text } = await savedRun("no-template", save, model);
    expect(existsSync(join(run.adapter, "chat_template.jinja"))).toBe(false);
    for (const path of [run.adapter, run.model]) expect(text(path)).not.toMatch(/template/i);
    trunk.dispose();
  });
});
