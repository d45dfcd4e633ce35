import { afterAll, describe, expect, test } from "@jest/globals";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs-core";
import { loadConfig } from "../../../src/config/index.ts";
import { finetuneRecipe } from "../../../src/recipes/finetune/recipe.ts";
import { gatherInputs, type RunInputs } from "../../../src/recipes/kit/inputs.ts";
import type { Model } from "../../../src/model/index.ts";
import type { Reporter } from "../../../src/recipes/kit/reporter.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { userError } from "../../user-error.ts";

const base = mkdtempSync(join(tmpdir(), "tokensift-inputs-"));
const opened: RunInputs[] = [];
afterAll(async () => {
  await Promise.all(opened.map((inputs) => inputs.close()));
  releaseEngine();
  rmSync(base, { recursive: true });
});

const root = join(import.meta.dirname, "../../..");
const reporter: Reporter = { note: () => undefined, working: () => undefined };

/** A model whose tokenizer has two tokens more than its embedding has rows. */
function largerTokenizer(): string {
  const model = join(base, "model");
  cpSync(join(root, "models/tiny"), model, { recursive: true });
  writeFileSync(join(model, "added_tokens.json"), JSON.stringify({ "<think>": 249, "</think>": 250 }));
  return model;
}

async function gather(model: string, rows: object[], validation: object[], more = ""): Promise<RunInputs> {
  const write = (name: string, list: object[]): string => {
    writeFileSync(join(base, name), list.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return name;
  };
  const data = `{ train: ${write("rows.jsonl", rows)}, validation: ${write("held.jsonl", validation)}, maxTokens: 64${more} }`;
  const path = join(base, "run.yaml");
  writeFileSync(
    path,
    `model: ${model}\noutput: ${join(base, "run")}\ndata: ${data}\ntraining: { steps: 1, batchSize: 1 }\n`,
  );
  const { config } = loadConfig(finetuneRecipe.config, path, {});
  const inputs = await gatherInputs(finetuneRecipe.start(config), await useEngine("cpu", { threads: 1 }), reporter);
  opened.push(inputs);
  return inputs;
}

describe("a tokenizer that is larger than the embedding", () => {
  const model = largerTokenizer();
  const plain = [{ question: "How many ropes ?", answer: "6" }];
  const thinking = [{ question: "How many ropes ?", answer: "<think> 6 </think>" }];
  const refusal = userError(
    "tokenizer-mismatch",
    /model: the tokenizer gives the id 250, but the model has 249 tokens/,
  );

  test("is no hindrance where no row uses its tokens", async () => {
    expect(JSON.parse(readFileSync(join(model, "config.json"), "utf8"))).toMatchObject({ vocab_size: 249 });
    expect(loadTokenizer(model).vocabularySize).toBe(251);
    expect((await gather(model, plain, plain)).tokens.length).toBe(1);
  });

  test("is refused before the run starts where a row does, one to train on or a held-out one", async () => {
    await expect(gather(model, thinking, plain)).rejects.toThrow(refusal);
    await expect(gather(model, plain, thinking)).rejects.toThrow(refusal);
  });
});

test("plain text is divided as the configuration says, held-out text too", async () => {
  const text = "Sami has 6 bags with 6 ropes in each bag . ".repeat(12).trim(); // 11 tokens each time, and the end token
  const rows = [{ text }];
  const model = join(root, "models/tiny");
  const { tokens, validation } = await gather(model, rows, rows, ", truncate: chunk, overlap: 4");
  for (const divided of [tokens, validation!]) {
    expect(Array.from({ length: divided.length }, (_, row) => divided.lengthOf(row))).toEqual([64, 64, 13]);
    expect(divided.stats.responseTokens).toBe(12 * 11);
  }
});

test("a starting model is shared while nobody asks otherwise, and refused once its file has changed", async () => {
  const model = join(base, "changing");
  cpSync(join(root, "models/tiny"), model, { recursive: true });
  const rows = [{ question: "How many ropes ?", answer: "6" }];
  const inputs = await gather(model, rows, rows);
  const [first, second] = [await inputs.shareModel(), await inputs.shareModel()];
  expect(second.embedding).toBe(first.embedding);
  expect(first.parameters.some(({ variable }) => variable.trainable)).toBe(false);
  for (const each of [first, first, second]) each.dispose(); // twice is once
  const third = await inputs.shareModel();
  expect(third.embedding).toBe(first.embedding);
  const own = await inputs.openModel();
  expect([own.embedding === third.embedding, disposed(third)]).toEqual([false, false]);
  for (const each of [own, third]) each.dispose();
  (await inputs.openModel()).dispose();
  expect(disposed(third)).toBe(true);
  appendFileSync(join(model, "model.safetensors"), "more");
  for (const open of [inputs.openModel, inputs.shareModel])
    await expect(open()).rejects.toThrow(userError("file-changed", join(model, "model.safetensors")));
});

const disposed = ({ embedding }: Model): boolean => (embedding as tf.Variable).isDisposed;

describe("the chat template of a run", () => {
  const rows = [{ question: "How many ropes ?", answer: "6" }];
  const model = join(root, "models/tiny");
  const given = "{% for m in messages %}{{ m.content }}\n{% endfor %}";

  test("is that of every model the run opens, and of what is saved of it", async () => {
    const inputs = await gather(model, rows, rows, `, chatTemplate: ${JSON.stringify(given)}`);
    expect(inputs.chatTemplate).toBe(given);
    const opened = await inputs.openModel();
    const { chatTemplate, files } = opened.tokenizer;
    opened.dispose();
    expect([chatTemplate, new TextDecoder().decode(files["chat_template.jinja"])]).toEqual([given, given]);
  });

  test("is the model's own where none is given, whose files stay", async () => {
    const inputs = await gather(model, rows, rows);
    expect("chatTemplate" in inputs).toBe(false);
    const opened = await inputs.openModel();
    const { files } = opened.tokenizer;
    opened.dispose();
    expect(files).toEqual(loadTokenizer(model).files);
  });
});
