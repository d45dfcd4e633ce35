import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openWeights } from "../../../src/model/weights/index.ts";
import { writeSafetensors, type TensorToSave } from "../../../src/model/weights/safetensors-write.ts";
import { userError } from "../../user-error.ts";
import { fixture, fixtureJson, floatsOf, temporaryFolder } from "./files.ts";

const inFolder = temporaryFolder();

/** A copy of a fixture folder whose JSON files are changed by `edit`. */
async function copyOf(name: string, as: string, edit: Record<string, (json: Json) => unknown> = {}): Promise<string> {
  const folder = inFolder(as);
  await cp(fixture(name), folder, { recursive: true });
  for (const [file, change] of Object.entries(edit)) {
    const json = JSON.parse(await readFile(join(folder, file), "utf8")) as Json;
    await writeFile(join(folder, file), JSON.stringify(change(json)));
  }
  return folder;
}
type Json = Record<string, unknown>;

/** All tensors of a model folder. */
async function tensorsOf(folder: string): Promise<TensorToSave[]> {
  const weights = await openWeights(folder);
  const tensors: TensorToSave[] = [];
  for (const name of weights.names()) {
    tensors.push({ name, shape: weights.shape(name), values: await weights.read(name) });
  }
  await weights.close();
  return tensors;
}

describe("opening a folder that transformers saved", () => {
  test.each(["tiny-float32", "tiny-bfloat16", "tiny-shards"])("%s reads equal", async (name) => {
    const expected = (await fixtureJson<Record<string, Record<string, string>>>("folders.json"))[name]!;
    const weights = await openWeights(fixture(name));
    expect(weights.names().sort()).toEqual(Object.keys(expected).sort());
    for (const tensor of weights.names()) {
      const values = await weights.read(tensor);
      expect(values).toEqual(floatsOf(expected[tensor]!));
      expect(values).toHaveLength(weights.shape(tensor).reduce((count, size) => count * size, 1));
    }
    await weights.close();
  });

  test("takes the ends of text from generation_config.json where it names some", async () => {
    const weights = await openWeights(fixture("tiny-bfloat16"));
    await weights.close();
    expect(weights.config).toMatchObject({ tiedOutput: true, endOfText: [2, 3] });
    const edited = await openWeights(
      await copyOf("tiny-bfloat16", "ends", { "generation_config.json": (json) => ({ ...json, eos_token_id: 4 }) }),
    );
    await edited.close();
    expect(edited.config.endOfText).toEqual([4]);
  });

  test("an unknown tensor name is a UserError", async () => {
    const weights = await openWeights(fixture("tiny-float32"));
    expect(() => weights.shape("model.norm.bias")).toThrow(userError("missing-tensor", '"model.norm.bias"'));
    await weights.close();
  });
});

describe("the fingerprint", () => {
  const of = async (path: string): Promise<string> => {
    const weights = await openWeights(path);
    await weights.close();
    return weights.fingerprint;
  };

  test("is that of the content, not of the place", async () => {
    expect(await of(await copyOf("tiny-float32", "copied"))).toBe(await of(fixture("tiny-float32")));
  });

  test("changes with one value and with the configuration", async () => {
    const original = await of(fixture("tiny-float32"));
    const changed = await copyOf("tiny-float32", "changed");
    const path = join(changed, "model.safetensors");
    const bytes = await readFile(path);
    bytes[bytes.length - 100]! ^= 1;
    await writeFile(path, bytes);
    const epsilon = await copyOf("tiny-float32", "epsilon", {
      "config.json": (json) => ({ ...json, rms_norm_eps: 1e-3 }),
    });
    expect(new Set([original, await of(changed), await of(epsilon)]).size).toBe(3);
  });
});

describe("a message that helps for", () => {
  test("a path that is not there", async () => {
    await expect(openWeights(inFolder("nowhere"))).rejects.toThrow(userError("missing-model", "nowhere"));
  });

  test("a bare safetensors file", async () => {
    await expect(openWeights(fixture("types.safetensors"))).rejects.toThrow(userError("missing-model", "config.json"));
  });

  test.each<[string, string[], string]>([
    ["an adapter", ["adapter_config.json", "adapter_model.safetensors"], "only an adapter"],
    ["pickled weights", ["config.json", "pytorch_model.bin"], "save_pretrained("],
    ["sharded pickled weights", ["config.json", "pytorch_model-00001-of-00002.bin"], "save_pretrained("],
    ["a GGUF file in a folder", ["README.md", "model.Q4_K_M.gguf"], "model.Q4_K_M.gguf"],
    ["an empty folder", [], "no config.json"],
    ["a folder without weights", ["config.json"], "no model.safetensors"],
  ])("%s", async (name, files, place) => {
    const folder = inFolder(name);
    await mkdir(folder);
    for (const file of files) await writeFile(join(folder, file), "{}");
    await expect(openWeights(folder)).rejects.toThrow(userError("missing-model", place));
  });

  test("an adapter, whose base model it names, or the model beside it that holds it", async () => {
    const folder = inFolder("run");
    await mkdir(join(folder, "adapter"), { recursive: true });
    const config = { base_model_name_or_path: "meta-llama/Llama-3.2-1B" };
    await writeFile(join(folder, "adapter/adapter_config.json"), JSON.stringify(config));
    await expect(openWeights(join(folder, "adapter"))).rejects.toThrow(
      userError("missing-model", /adapter: [^]*"meta-llama\/Llama-3\.2-1B"/),
    );
    await mkdir(join(folder, "model"));
    await writeFile(join(folder, "model/config.json"), "{}");
    await expect(openWeights(join(folder, "adapter"))).rejects.toThrow(
      userError("missing-model", /: [^:]*run\/model$/),
    );
  });

  test("a config.json that is not JSON", async () => {
    const folder = await copyOf("tiny-float32", "not-json");
    await writeFile(join(folder, "config.json"), '{"model_type": NaN');
    await expect(openWeights(folder)).rejects.toThrow(userError("invalid-json", "config.json"));
  });

  test("a config.json that is a folder", async () => {
    const folder = await copyOf("tiny-float32", "not-file");
    await rm(join(folder, "config.json"));
    await mkdir(join(folder, "config.json"));
    await expect(openWeights(folder)).rejects.toThrow(userError("not-a-file", "config.json"));
  });

  test("missing tensors, by name", async () => {
    const folder = await copyOf("tiny-float32", "deeper", {
      "config.json": (json) => ({ ...json, num_hidden_layers: 3 }),
    });
    await expect(openWeights(folder)).rejects.toThrow(
      userError("missing-tensor", /deeper: 9 of 30 .*: model\.layers\.2\.input_layernorm\.weight, /),
    );
    await expect(openWeights(folder)).rejects.toThrow(userError("missing-tensor", " and 4 more"));
  });

  test("tensors without a place", async () => {
    const folder = await copyOf("tiny-shards", "biased", { "config.json": (json) => ({ ...json, mlp_bias: false }) });
    await expect(openWeights(folder)).rejects.toThrow(
      userError("unknown-tensor", /6 tensors .*: model\.layers\.0\.mlp\./),
    );
  });

  test("another shape, with both", async () => {
    const folder = await copyOf("tiny-float32", "wider", {
      "config.json": (json) => ({ ...json, intermediate_size: 7 }),
    });
    await expect(openWeights(folder)).rejects.toThrow(
      userError("wrong-shape", /gate_proj\.weight .*\[6, 8\].*\[7, 8\]/),
    );
  });

  test("an output saved beside the embedding it is tied to: fine if equal, refused if not", async () => {
    const folder = await copyOf("tiny-bfloat16", "tied");
    const tensors = await tensorsOf(folder);
    const embedding = tensors.find(({ name }) => name === "model.embed_tokens.weight")!;
    const path = join(folder, "model.safetensors");
    const frequencies = {
      name: "model.layers.0.self_attn.rotary_emb.inv_freq",
      shape: [1],
      values: Float32Array.of(1),
    };
    await writeSafetensors(path, [...tensors, { ...embedding, name: "lm_head.weight" }, frequencies]);
    const weights = await openWeights(folder);
    expect(weights.names().sort()).toEqual(tensors.map(({ name }) => name).sort());
    await weights.close();
    const other = { ...embedding, name: "lm_head.weight", values: new Float32Array(40) };
    await writeSafetensors(path, [...tensors, other]);
    await expect(openWeights(folder)).rejects.toThrow(userError("invalid-model-config", "lm_head.weight"));
  });

  const index = "model.safetensors.index.json";
  const shard = "model-00001-of-00002.safetensors";
  const misnamed = (shard: string): unknown => userError("invalid-file-name", shard);
  test.each<[string, (map: Json) => unknown, unknown]>([
    ["a shard outside the folder", (map) => ({ ...map, x: "../x.safetensors" }), misnamed('"../x.safetensors"')],
    ["a shard by absolute path", (map) => ({ ...map, x: "/etc/passwd" }), misnamed('"/etc/passwd"')],
    ["a shard in a subfolder", (map) => ({ ...map, x: "a/x.safetensors" }), misnamed('"a/x.safetensors"')],
    ["a shard by Windows path", (map) => ({ ...map, x: "..\\x.safetensors" }), misnamed('x.safetensors"')],
    ["a shard that is no name", (map) => ({ ...map, x: 7 }), misnamed(" 7,")],
    ["a shard that is missing", (map) => ({ ...map, x: "x.safetensors" }), userError("unreadable", "x.safetensors")],
    ["a tensor that its shard lacks", (map) => ({ ...map, x: shard }), userError("missing-tensor", '"x"')],
    ["an index without map", () => undefined, userError("damaged-file", "weight_map")],
  ])("%s", async (name, change, refusal) => {
    const edit = (json: Json): Json => ({ ...json, weight_map: change(json["weight_map"] as Json) });
    await expect(openWeights(await copyOf("tiny-shards", name, { [index]: edit }))).rejects.toThrow(refusal);
  });

  test("a tensor that two shards hold", async () => {
    const folder = await copyOf("tiny-shards", "doubled");
    await rm(join(folder, "model-00002-of-00002.safetensors"));
    await cp(join(folder, shard), join(folder, "model-00002-of-00002.safetensors"));
    await expect(openWeights(folder)).rejects.toThrow(
      userError("repeated-tensor", /embed_tokens\.weight.*model-00002-of-00002/),
    );
  });
});
