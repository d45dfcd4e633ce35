import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { decoderConfigFromGguf, decoderConfigText, parseDecoderConfig } from "../../../src/model/config-file.ts";
import { decoderTensors, families, moduleName } from "../../../src/model/families/index.ts";
import { hubNames } from "../../../src/model/families/gguf-tensors.ts";
import { partName } from "../../../src/model/families/layout.ts";
import { projectionsOf, projectionSize } from "../../../src/model/projections.ts";
import { openWeights, saveModelFiles } from "../../../src/model/weights/index.ts";
import { temporaryFolder } from "../weights/files.ts";
import { userError } from "../../user-error.ts";

const inFolder = temporaryFolder();

/** Sizes, and every key that transformers has of a model with these; test/fixtures/model/families/make_defaults.py. */
const defaults = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../fixtures/model/families/defaults.json"), "utf8"),
) as Record<string, { given: object; assumed: object }>;

/** Keys of a `config.json` that every family reads; sizes differ from each other and from what is assumed. */
const sizes = {
  vocab_size: 11,
  hidden_size: 12,
  intermediate_size: 10,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 6,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 2e4,
  rope_scaling: { rope_type: "linear", factor: 2 },
  initializer_range: 0.05,
  bos_token_id: 1,
  eos_token_id: [2, 3],
  pad_token_id: 0,
};
/** The same in the keys of a GPT-2. */
const gpt2Sizes = {
  vocab_size: 11,
  n_embd: 12,
  n_inner: 10,
  n_layer: 2,
  n_head: 4,
  n_positions: 64,
  layer_norm_epsilon: 1e-5,
  initializer_range: 0.05,
  bos_token_id: 1,
  eos_token_id: [2, 3],
  pad_token_id: 0,
};
/** The activation, under each key that a family may have for it. */
const activation = (name: string): object => ({
  hidden_act: name,
  hidden_activation: name,
  activation_function: name,
});
const inGguf = {
  embedding_length: 12,
  feed_forward_length: 10,
  block_count: 2,
  "attention.head_count": 4,
  "attention.head_count_kv": 2,
  "attention.key_length": 6,
  "attention.value_length": 6,
  context_length: 64,
  "attention.layer_norm_rms_epsilon": 1e-5,
  "rope.freq_base": 2e4,
};

/** Keys of a family's `config.json`. */
function keysOf(modelType: string): object {
  const own = modelType === "gpt2" ? gpt2Sizes : modelType === "phi3" ? { ...sizes, rope_scaling: null } : sizes;
  return { ...own, tie_word_embeddings: false, model_type: modelType };
}

describe.each(families.map((family) => [family.modelType, family] as const))("the family %s", (modelType, family) => {
  const config = parseDecoderConfig(keysOf(modelType), "config.json");
  const learned = modelType === "gpt2";

  test("reads the sizes and constants of its config.json", () => {
    expect(config).toMatchObject({
      family: modelType,
      vocabularySize: 11,
      width: 12,
      feedForwardWidth: 10,
      layers: 2,
      heads: 4,
      keyValueHeads: learned ? 4 : 2,
      headSize: learned ? 3 : 6,
      maxPositions: 64,
      epsilon: 1e-5,
      initializerRange: 0.05,
      beginOfText: 1,
      endOfText: [2, 3],
      padToken: 0,
    });
    const scaling = modelType === "phi3" ? {} : { scaling: { type: "linear", factor: 2 } };
    expect(config.rope).toEqual(learned ? undefined : { theta: 2e4, ...scaling });
  });

  test("assumes what transformers assumes where its config.json is silent", () => {
    const { given, assumed } = defaults[modelType]!;
    // without names for them, the Llamas and Mistrals that are read here have no special tokens
    const tokens = ["llama", "mistral"].includes(modelType)
      ? { bos_token_id: null, eos_token_id: null, pad_token_id: null }
      : {};
    const silent = parseDecoderConfig({ ...given, model_type: modelType }, "config.json");
    expect(silent).toEqual(parseDecoderConfig({ ...assumed, ...tokens }, "config.json"));
  });

  test("reads back what it wrote, and writes it again to the letter", () => {
    const text = decoderConfigText(config);
    const again = parseDecoderConfig(JSON.parse(text), "config.json");
    expect(again).toEqual(config);
    expect(decoderConfigText(again)).toBe(text);
    expect(JSON.parse(text)).toMatchObject({
      model_type: modelType,
      architectures: family.architectures,
    });
  });

  test("has the tensors that every decoder has, with shapes for its sizes", () => {
    const tensors = decoderTensors(config);
    const { layout } = family;
    expect(tensors.get(`${layout.embedding}.weight`)).toEqual([11, 12]);
    for (const name of projectionsOf(config)) {
      const [outputs, inputs] = tensors.get(`${moduleName(config, 1, name)}.weight`)!;
      expect([outputs, inputs]).toEqual(projectionSize(config, name));
      expect(inputs).toBe(name === "o" ? config.heads * config.headSize : name === "down" ? 10 : 12);
    }
    expect(tensors.get(`${layout.head}.weight`)).toEqual([11, 12]);
    expect(decoderTensors({ ...config, tiedOutput: true }).has(`${layout.head}.weight`)).toBe(false);
  });

  test("a folder of it is written back as the same family and reads back equal", async () => {
    const tensors = [...decoderTensors(config)].map(([name, shape], i) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return {
        name,
        shape,
        values: Float32Array.from({ length: count }, (_, j) => i + j / 8),
      };
    });
    const [first, second] = [inFolder(`${modelType}-1`), inFolder(`${modelType}-2`)];
    await saveModelFiles(first, {
      config,
      tensors,
      tokenizerFiles: {},
      card: "",
    });
    const read = await openWeights(first);
    const copied = read.names().map((name) => ({
      name,
      shape: read.shape(name),
      values: () => read.read(name),
    }));
    await saveModelFiles(second, {
      config: read.config,
      tensors: copied,
      tokenizerFiles: {},
      card: "",
    });
    const again = await openWeights(second);
    expect(again.config).toEqual(config);
    expect(again.fingerprint).toBe(read.fingerprint);
    for (const { name, values } of tensors) expect(await again.read(name)).toEqual(values);
    expect(await readFile(`${second}/config.json`, "utf8")).toBe(await readFile(`${first}/config.json`, "utf8"));
    await Promise.all([read.close(), again.close()]);
  });

  test("an activation that is not its own is refused, naming the file", () => {
    const json = { ...keysOf(modelType), ...activation("relu") };
    expect(() => parseDecoderConfig(json, "config.json")).toThrow(
      userError("unsupported-model", /config\.json: .*"relu"/),
    );
  });
});

const inGgufFiles = families.flatMap((family) =>
  family.gguf ? [[family.modelType, family, family.gguf] as const] : [],
);

/** What the header has under other keys, or not at all. */
function headerOf(modelType: string): Record<string, unknown> {
  if (modelType !== "gpt2") return inGguf;
  const { embedding_length, feed_forward_length, block_count, context_length } = inGguf;
  const sizes = { embedding_length, feed_forward_length, block_count, context_length, "attention.head_count": 4 };
  return { ...sizes, "attention.layer_norm_epsilon": 1e-5 };
}

describe.each(inGgufFiles)("a GGUF file of the family %s", (modelType, { layout }, { architecture }) => {
  const huggingFaceName = hubNames(layout);
  const entries = Object.entries(headerOf(modelType)).map(([key, value]) => [`${architecture}.${key}`, value]);
  const metadata = {
    "general.architecture": architecture,
    ...Object.fromEntries(entries),
  } as Record<string, unknown>;

  test("says the same as a config.json, which reads back equal", () => {
    const own = { rope_scaling: null, query_pre_attn_scalar: 6 }; // scores are scaled by the size of a head
    const parsed = parseDecoderConfig({ ...keysOf(modelType), ...own }, "config.json");
    const config = decoderConfigFromGguf(metadata, { shapes: decoderTensors(parsed) }, "m.gguf");
    const unsaid = {
      initializerRange: 0.02,
      beginOfText: undefined,
      endOfText: [],
      padToken: undefined,
    };
    expect(config).toEqual({ ...parsed, ...unsaid });
    expect(parseDecoderConfig(JSON.parse(decoderConfigText(config)), "config.json")).toEqual(config);
  });

  test("names a missing key as the file would", () => {
    const less = { ...metadata, [`${architecture}.block_count`]: undefined };
    const shapes = new Map([[`${layout.embedding}.weight`, [11, 12]]]);
    const parse = (): unknown => decoderConfigFromGguf(less, { shapes }, "m.gguf");
    expect(parse).toThrow(userError("invalid-model-config", `m.gguf: the key ${architecture}.block_count`));
  });

  test("names its tensors in its own way", () => {
    expect(huggingFaceName("token_embd.weight")).toBe(`${layout.embedding}.weight`);
    expect(huggingFaceName("blk.1.ffn_down.weight")).toBe(`${partName(layout, 1, "down")}.weight`);
  });
});

describe("a family that is not in the list", () => {
  test.each<[string, () => unknown]>([
    ["read", () => parseDecoderConfig({ ...sizes, model_type: "strange" }, "config.json")],
    [
      "written",
      () =>
        decoderConfigText({
          ...parseDecoderConfig({ ...sizes, model_type: "llama" }, ""),
          family: "strange",
        }),
    ],
  ])("is refused when %s, with those that are", (_, action) => {
    expect(action).toThrow(userError("unsupported-model", '"strange"'));
    for (const { modelType, models } of families)
      expect(action).toThrow(userError("unsupported-model", `${modelType} (${models}, ...)`));
  });

  test("is refused in a GGUF file, with those that are", () => {
    const read = (): unknown =>
      decoderConfigFromGguf({ "general.architecture": "strange" }, { shapes: new Map() }, "m.gguf");
    expect(read).toThrow(userError("unsupported-model", /m\.gguf: .*"strange"/));
    for (const [, { models }, gguf] of inGgufFiles)
      expect(read).toThrow(userError("unsupported-model", `${gguf.architecture} (${gguf.models ?? models}, ...)`));
  });
});
