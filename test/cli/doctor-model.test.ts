import { describe, expect, test } from "@jest/globals";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decoderTensors, families } from "../../src/model/families/index.ts";
import { estimateTrainingMemory } from "../../src/model/memory.ts";
import { readModelFacts } from "../../src/model/model.ts";
import { saveModelFiles } from "../../src/model/weights/save.ts";
import { memoryOfProcess } from "../../src/system/process-memory.ts";
import { loadTokenizer } from "../../src/text/load-tokenizer.ts";
import type { ModelFindings } from "../../src/cli/doctor/model-text.ts";
import { fixtures, root, temporaryFolder, tokensift } from "./run.ts";

const folder = temporaryFolder();
const family = (name: string): string => join(fixtures, "model/families", name);
const tiny = join(root, "models/tiny");

async function findings(path: string): Promise<ModelFindings> {
  const { code, out, err } = await tokensift("doctor", "--model", path, "--json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out) as ModelFindings;
}

describe("what a model is", () => {
  test("sizes, weights, tokenizer and what ends a turn", async () => {
    const { model } = await findings(tiny);
    expect(model).toEqual({
      path: tiny,
      family: "llama",
      models: expect.stringContaining("SmolLM2"),
      // 249 x 128 + 4 x (2 x 128 x 128 + 2 x 64 x 128 + 3 x 128 x 352 + 2 x 128) + 128
      parameters: 770_304,
      ...{ layers: 4, width: 128, heads: 4, keyValueHeads: 2, headSize: 32, feedForwardWidth: 352 },
      ...{ vocabularySize: 249, tiedOutput: true, context: 256 },
      rotation: { base: 10_000 },
      weights: {
        files: "safetensors",
        bytes: 4 * 770_304,
        formats: [{ format: "F32", tensors: 38, bytes: 4 * 770_304 }],
      },
      tokenizer: { kind: "WordLevel", tokens: 249, chatTemplate: true, endOfTurn: [{ id: 3, token: "</s>" }] },
    });
  });

  test("windows with a rotation of their own, and none of them elsewhere", async () => {
    const config = JSON.parse(readFileSync(join(family("gemma3"), "config.json"), "utf8")) as Record<string, unknown>;
    const { model } = await findings(family("gemma3"));
    expect(model).toMatchObject({
      family: "gemma3_text",
      window: {
        tokens: config["sliding_window"],
        layers: (config["layer_types"] as string[]).filter((type) => type === "sliding_attention").length,
        rotation: { base: expect.any(Number) },
      },
    });
    expect(model.window!.rotation!.base).toBeLessThan(model.rotation!.base);
  });

  test("how a rotation is stretched, and layers that rotate nothing", async () => {
    expect((await findings(family("llama-yarn"))).model.rotation).toMatchObject({
      scaling: "yarn",
      factor: expect.any(Number),
      originalContext: expect.any(Number),
    });
    const { model } = await findings(family("smollm3"));
    expect(model.unrotatedLayers).toBeGreaterThan(0);
    expect(model.unrotatedLayers).toBeLessThan(model.layers);
  });

  test("what a training leaves out: the dropout of GPT-2, and of no other family", async () => {
    const { out } = await tokensift("doctor", "--model", family("gpt2"));
    expect(out).toMatch(/left out .*dropout/);
    expect(out).toContain("learned positions");
    expect(families.filter(({ trainedWithout }) => trainedWithout !== undefined).map((each) => each.modelType)).toEqual(
      ["gpt2"],
    );
  });

  test("a GGUF file: its number formats, and its tokenizer", async () => {
    const bpe = loadTokenizer(join(fixtures, "text/bpe"));
    const config = { ...(await readModelFacts(tiny)).config, vocabularySize: bpe.vocabularySize };
    const tensors = [...decoderTensors(config)].map(([name, shape]) => {
      return { name, shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
    });
    const [from, path] = [folder.path("zeros"), folder.path("zeros.gguf")];
    await saveModelFiles(from, { config, tensors, tokenizerFiles: bpe.files, card: "Zeros." });
    expect((await tokensift("export", "--model", from, "--gguf", "q8_0", "--out", path)).code).toBe(0);
    const { model, training } = await findings(path);
    expect(model.weights).toMatchObject({
      files: "gguf",
      // 4 x 7 projections and the embedding; the norms
      formats: [
        { format: "Q8_0", tensors: 29 },
        { format: "F32", tensors: 9, bytes: 4 * 9 * 128 },
      ],
    });
    expect(model.weights.bytes).toBeLessThan(statSync(path).size);
    const forms = [...new Set(training.ways.map(({ weights }) => weights))];
    expect(forms).toEqual(["float32", "as-stored", "bf16", "q4_0"]);
    const asStored = training.ways.find(({ weights }) => weights === "as-stored")!;
    expect(asStored.memory.files).toBe(model.weights.formats[0]!.bytes);
    expect(model.tokenizer).toMatchObject({ kind: "BPE", tokens: bpe.vocabularySize });
  });
});

describe("what training it here takes", () => {
  test("memory as a run of such a row is estimated, against what this process can have", async () => {
    const { training } = await findings(tiny);
    const { config } = await readModelFacts(tiny);
    expect(training).toMatchObject({ tokens: 256, memory: memoryOfProcess() });
    // a file of float32 stays in memory: it has no form of its own
    const forms = ["all weights float32", "LoRA float32", "LoRA bf16", "LoRA q8_0", "LoRA q4_0"];
    expect(
      training.ways.map(({ trains, weights, gradientCheckpointing }) => [
        `${trains} ${weights}`,
        gradientCheckpointing,
      ]),
    ).toEqual(
      forms.flatMap((form) => [
        [form, false],
        [form, true],
      ]),
    );
    for (const { trains, weights, gradientCheckpointing, memory, fits } of training.ways) {
      expect(fits).toBe(memory.peak <= memoryOfProcess());
      if (weights !== "float32") continue;
      const adapter = trains === "LoRA" ? { adapter: { rank: 16 } } : {};
      const row = { tokens: 256, responseTokens: 256, gradientCheckpointing, ...adapter };
      expect(memory).toEqual(estimateTrainingMemory(config, row));
    }
  });

  test("under an adapter matrices stay in files, in the formats that export writes", async () => {
    const { ways } = (await findings(tiny)).training;
    const files = new Map(ways.map(({ weights, memory }) => [weights, memory.files]));
    const [embedding, matrices] = [249 * 128, 770_304 - 9 * 128];
    expect(files.get("float32")).toBe(0);
    expect(files.get("bf16")).toBe(2 * matrices);
    expect(files.get("q8_0")).toBe((matrices / 32) * 34);
    // the embedding is the output projection, which q4_0 keeps finer
    expect(files.get("q4_0")).toBe(((matrices - embedding) / 32) * 18 + (embedding / 32) * 34);
    for (const { weights, memory } of ways)
      expect(memory.weights).toBe(4 * (weights === "float32" ? 770_304 : 9 * 128));
  });

  test("tokens a second from the measured rate: 6, 4 or 2 operations a number, 2 more with checkpointing", async () => {
    const { training, gigaflops } = await findings(tiny);
    // all but the norms: the embedding is the output projection, which multiplies
    expect(training.multiplied).toBe(770_304 - 9 * 128);
    for (const { trains, gradientCheckpointing, tokensPerSecond } of training.ways) {
      const operations = (trains === "LoRA" ? 4 : 6) + (gradientCheckpointing ? 2 : 0);
      expect((tokensPerSecond! * operations * training.multiplied) / (gigaflops! * 1e9)).toBeCloseTo(1, 2);
    }
    expect(training.scoringTokensPerSecond! / training.ways[0]!.tokensPerSecond!).toBeCloseTo(3, 1);
  });

  test("an embedding that is not the output projection multiplies nothing; neither do positions", async () => {
    for (const name of ["gpt2", "gpt2-untied"]) {
      const { model, training } = await findings(family(name));
      const { layers, width, feedForwardWidth, vocabularySize, tiedOutput } = model;
      expect(tiedOutput).toBe(name === "gpt2");
      const block = 4 * width ** 2 + 2 * width * feedForwardWidth;
      expect(training.multiplied).toBe(layers * block + vocabularySize * width);
    }
  });
});

test("as text: one screen, with the engine and why it is taken; nothing is written beside the model", async () => {
  const copy = folder.copyModel("copy");
  const before = readdirSync(copy);
  const { code, out, err } = await tokensift("doctor", "--model", copy);
  expect([code, err]).toEqual([0, ""]);
  expect(out.split("\n").length).toBeLessThan(40);
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  for (const word of [
    "family",
    "parameters",
    "context",
    "tokenizer",
    "ends a turn",
    "LoRA 16 over float32",
    "estimate",
  ])
    expect(out).toContain(word);
  const inOneLine = out.replaceAll(/\s+/g, " "); // where a line ends depends on the processor's name
  expect(inOneLine).toMatch(/ engine .*(the first with a GPU|tensorflow (has no GPU|does not run))/);
  expect(readdirSync(copy)).toEqual(before);
});

describe("refused, with exit code 2", () => {
  test("a path where no model is", async () => {
    const { code, err } = await tokensift("doctor", "--model", "nowhere");
    expect([code, err]).toEqual([2, expect.stringContaining("--model nowhere")]);
  });

  test("a folder that is an adapter", async () => {
    mkdirSync(folder.path("adapter"));
    writeFileSync(folder.path("adapter/adapter_config.json"), "{}");
    const { code, err } = await tokensift("doctor", "--model", folder.path("adapter"));
    expect([code, err]).toEqual([2, expect.stringContaining("only an adapter")]);
  });

  test("a family that is not supported, by name", async () => {
    const copy = folder.copyModel("mamba");
    const path = join(copy, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...config, model_type: "mamba" }));
    const { code, err } = await tokensift("doctor", "--model", copy);
    expect([code, err]).toEqual([2, expect.stringMatching(/"mamba" is not supported[^]*Supported: llama/)]);
  });
});
