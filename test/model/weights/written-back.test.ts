import { cp, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openWeights, saveModelFiles, type ModelFiles, type WeightSource } from "../../../src/model/weights/index.ts";
import { openFile } from "../../../src/model/weights/file.ts";
import { readSafetensorsHeader } from "../../../src/model/weights/safetensors.ts";
import type { TensorToSave } from "../../../src/model/weights/safetensors-write.ts";
import { userError } from "../../user-error.ts";
import { fixture, temporaryFolder } from "./files.ts";

const inFolder = temporaryFolder();

type Json = Record<string, unknown>;
const json = async (...path: string[]): Promise<Json> => JSON.parse(await readFile(join(...path), "utf8")) as Json;

/** Opens a model, saves it elsewhere and gives the new folder. */
async function saved(
  from: string,
  as: string,
  change: Partial<ModelFiles> | ((source: WeightSource) => Partial<ModelFiles>) = {},
): Promise<string> {
  const source = await openWeights(from);
  const { config, origin } = source;
  const tensors = inTheirOrder(source.names()).map((name): TensorToSave => {
    return { name, shape: source.shape(name), values: () => source.read(name) };
  });
  const changes = typeof change === "function" ? change(source) : change;
  await saveModelFiles(inFolder(as), { config, origin, tensors, tokenizerFiles: {}, card: "", ...changes });
  await source.close();
  return inFolder(as);
}

/** Names in the order in which transformers holds a Llama of two layers, by which it divides a model into shards. */
function inTheirOrder(names: readonly string[]): string[] {
  const projections = ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down"];
  const parts = [...projections.map((name) => `${name}_proj`), "input_layernorm", "post_attention_layernorm"];
  const layers = [0, 1].flatMap((layer) => parts.map((part) => `model.layers.${layer}.${part}`));
  const modules = ["model.embed_tokens", ...layers, "model.norm", "lm_head"];
  const all = modules.flatMap((module) => [`${module}.weight`, `${module}.bias`]);
  expect(names.filter((name) => !all.includes(name))).toEqual([]);
  return all.filter((name) => names.includes(name));
}

/** A copy of a fixture folder with other files in it. */
async function withFiles(name: string, as: string, files: Record<string, string>): Promise<string> {
  const folder = inFolder(as);
  await cp(fixture(name), folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
  return folder;
}

/** Number formats of the tensors of a file. */
async function typesOf(path: string): Promise<Record<string, string>> {
  const file = await openFile(path);
  const header = await readSafetensorsHeader(file);
  await file.close();
  return Object.fromEntries([...header].map(([name, { encoding }]) => [name, encoding.name]));
}

describe("a folder that transformers saved", () => {
  test.each([
    ["tiny-float32", "50GB"],
    ["tiny-bfloat16", "50GB"],
    ["tiny-shards", "1KB"],
  ])("%s is written back to the byte, but for keys of config.json that are added", async (name, shardSize) => {
    const folder = await saved(fixture(name), name, { shardSize });
    const before = await readdir(fixture(name));
    expect((await readdir(folder)).sort()).toEqual([...before, "README.md"].sort());
    for (const file of before.filter((file) => file !== "config.json"))
      expect([file, await readFile(join(folder, file))]).toEqual([file, await readFile(join(fixture(name), file))]);
    const [written, author] = [await json(folder, "config.json"), await json(fixture(name), "config.json")];
    expect(written).toEqual({ ...author, rope_theta: 10_000, rope_scaling: null, torch_dtype: author["dtype"] });
    expect(Object.keys(written).slice(0, Object.keys(author).length)).toEqual(Object.keys(author));
  });

  test("is the same model, by its fingerprint", async () => {
    const fingerprints = [];
    for (const path of [fixture("tiny-shards"), await saved(fixture("tiny-shards"), "whole")]) {
      const weights = await openWeights(path);
      await weights.close();
      fingerprints.push(weights.fingerprint);
    }
    expect(fingerprints[1]).toBe(fingerprints[0]);
  });
});

describe("number formats", () => {
  test("are those in which each tensor came; quantized ones become float32", async () => {
    const folder = await saved(fixture("tiny.gguf"), "mixed");
    const types = await typesOf(join(folder, "model.safetensors"));
    const of = (projection: string): string => types[`model.layers.1.self_attn.${projection}_proj.weight`]!;
    expect(of("k")).toBe("F16");
    expect(of("v")).toBe("BF16");
    expect([of("q"), of("o"), types["model.norm.weight"]]).toEqual(["F32", "F32", "F32"]);
    // whoever loads all tensors in the format that config.json names loses nothing
    expect(await json(folder, "config.json")).toMatchObject({ dtype: "float32", torch_dtype: "float32" });
    const [source, again] = [await openWeights(fixture("tiny.gguf")), await openWeights(folder)];
    for (const name of source.names()) expect(await again.read(name)).toEqual(await source.read(name));
    await Promise.all([source.close(), again.close()]);
  });

  test("can be chosen", async () => {
    const folder = await saved(fixture("tiny-bfloat16"), "wide", { dtype: "float32" });
    expect(new Set(Object.values(await typesOf(join(folder, "model.safetensors"))))).toEqual(new Set(["F32"]));
    expect(await json(folder, "config.json")).toMatchObject({ dtype: "float32", torch_dtype: "float32" });
  });

  test("a number too large for float16 is refused with its tensor, and nothing is written", async () => {
    const large = ({ names, shape, read }: WeightSource): Partial<ModelFiles> => ({
      dtype: "float16",
      tensors: names().map((name) => ({
        name,
        shape: shape(name),
        values: async () => (name === "model.norm.weight" ? new Float32Array(8).fill(65_520) : read(name)),
      })),
    });
    await expect(saved(fixture("tiny-float32"), "none/large", large)).rejects.toThrow(
      userError("out-of-range", "model.norm.weight holds 65520"),
    );
    expect(await readdir(inFolder("none"))).toEqual([]);
  });
});

describe("what the author wrote", () => {
  test("stays in config.json where this library has no use for it; what is known goes over it", async () => {
    const author = {
      ...(await json(fixture("tiny-float32"), "config.json")),
      _name_or_path: "/home/author/checkpoint-500",
      auto_map: { AutoModel: "modeling.Mine" },
      id2label: { 0: "no" },
      hidden_size: 8,
      use_cache: false,
    };
    const text = JSON.stringify(author, null, 2).replace("{", '{"final": 30.0, "half": 1e1, "whole": 30,');
    const folder = await saved(await withFiles("tiny-float32", "author", { "config.json": text }), "author-2", {
      dtype: "bfloat16",
    });
    const written = await readFile(join(folder, "config.json"), "utf8");
    expect(written).toMatch(/"final": 30\.0,\n {2}"half": 10\.0,\n {2}"whole": 30,\n/);
    const { _name_or_path, auto_map, ...kept } = author;
    const news = { dtype: "bfloat16", torch_dtype: "bfloat16", rope_theta: 10_000, rope_scaling: null };
    expect(JSON.parse(written)).toEqual({ ...kept, ...news, final: 30, half: 10, whole: 30 });
    expect([_name_or_path, auto_map]).not.toContain(undefined);
  });

  test("is left out where the model is written as another family's", async () => {
    const text = JSON.stringify({ ...(await json(fixture("tiny-float32"), "config.json")), mine: 1 });
    const author = await withFiles("tiny-float32", "family", { "config.json": text });
    const folder = await saved(author, "family-2", ({ config }) => ({ config: { ...config, family: "mistral" } }));
    const written = await json(folder, "config.json");
    expect(written).toMatchObject({ model_type: "mistral" });
    expect(written).not.toHaveProperty("mine");
  });

  const generation = '{ "top_p":0.9, "repetition_penalty":1.0,\n\n "eos_token_id":[2, 3], "mine": {"a": 1} }';

  test("stays in generation_config.json to the byte", async () => {
    const author = await withFiles("tiny-float32", "generation", { "generation_config.json": generation });
    const folder = await saved(author, "generation-2");
    expect(await readFile(join(folder, "generation_config.json"), "utf8")).toBe(generation);
  });

  test("stays there beside a special token that has changed", async () => {
    const author = await withFiles("tiny-float32", "ends", { "generation_config.json": generation });
    const folder = await saved(author, "ends-2", ({ config }) => ({ config: { ...config, endOfText: [4] } }));
    const written = await readFile(join(folder, "generation_config.json"), "utf8");
    expect(written).toContain('"repetition_penalty": 1.0,');
    expect(JSON.parse(written)).toEqual({ ...(JSON.parse(generation) as Json), eos_token_id: 4 });
  });

  test("stays in the tokenizer's files to the byte, with templates in their folder", async () => {
    const tokenizerFiles = {
      "tokenizer.model": Uint8Array.of(0x0a, 0xff, 0xfe, 0, 0xc0),
      "additional_chat_templates/rag.jinja": Buffer.from("{{ documents }}"),
    };
    const folder = await saved(fixture("tiny-float32"), "tokenizer", { tokenizerFiles });
    for (const [name, bytes] of Object.entries(tokenizerFiles))
      expect(await readFile(join(folder, name))).toEqual(Buffer.from(bytes));
    await saved(fixture("tiny-float32"), "tokenizer"); // takes the place of all of it
    expect(await readdir(folder)).not.toContain("additional_chat_templates");
  });
});

describe("shards", () => {
  const weightsIn = async (folder: string): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.includes("model")).sort();

  test("are as many as the size asks for, and take the place of earlier ones", async () => {
    const whole = (await weightsIn(await saved(fixture("tiny-float32"), "shards"))).sort();
    expect(whole).toEqual(["model.safetensors"]);
    // 1,888 bytes up to layer 0's gate_proj, 1,984 up to layer 1's o_proj, 832; or 2,848 up to layer 1's q_proj, 1,856
    for (const [shardSize, count] of [
      ["2KB", 3],
      [3000, 2],
    ] as const) {
      const folder = await saved(fixture("tiny-float32"), "shards", { shardSize });
      const shards = Array.from({ length: count }, (_, i) => `model-0000${i + 1}-of-0000${count}.safetensors`);
      expect(await weightsIn(folder)).toEqual([...shards, "model.safetensors.index.json"]);
      const [source, again] = [await openWeights(fixture("tiny-float32")), await openWeights(folder)];
      expect(again.fingerprint).toBe(source.fingerprint);
      await Promise.all([source.close(), again.close()]);
    }
    expect(await weightsIn(await saved(fixture("tiny-float32"), "shards"))).toEqual(whole);
  });

  test("a tensor that is larger than the size has one of its own", async () => {
    const folder = await saved(fixture("tiny-float32"), "one-each", { shardSize: 1 });
    const source = await openWeights(folder);
    await source.close();
    expect(await weightsIn(folder)).toHaveLength(source.names().length + 1);
  });

  test("of another name are not taken for a model's", async () => {
    for (const name of ["model-1-of-2.safetensors", "model-00001-of-00002.safetensors.bak", "pytorch_model.bin"]) {
      const folder = inFolder(`foreign ${name}`);
      await mkdir(folder);
      await writeFile(join(folder, name), "mine");
      const saving = saved(fixture("tiny-float32"), `foreign ${name}`);
      await expect(saving).rejects.toThrow(userError("foreign-files", name));
      expect(await readdir(folder)).toEqual([name]);
    }
  });

  test("nor are folders, whatever they are called", async () => {
    await mkdir(inFolder("nested/model.safetensors"), { recursive: true });
    await expect(saved(fixture("tiny-float32"), "nested")).rejects.toThrow(
      userError("foreign-files", "model.safetensors/"),
    );
    await mkdir(inFolder("templates/additional_chat_templates"), { recursive: true });
    await writeFile(inFolder("templates/additional_chat_templates/thesis.txt"), "mine");
    await expect(saved(fixture("tiny-float32"), "templates")).rejects.toThrow(
      userError("foreign-files", "additional_chat_templates/thesis.txt"),
    );
  });

  test.each(["5 XB", "0GB", "1.5GB", "", "-1", 0, Number.NaN, Infinity])("%j is no size", async (shardSize) => {
    await expect(saved(fixture("tiny-float32"), "size", { shardSize })).rejects.toThrow(
      userError("invalid-option", "shardSize"),
    );
  });
});
