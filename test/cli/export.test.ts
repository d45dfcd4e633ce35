import { beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseDecoderConfig } from "../../src/model/config-file.ts";
import { decoderTensors } from "../../src/model/families/index.ts";
import { rotationOrder } from "../../src/model/families/gguf-tensors.ts";
import { ggufEncodings } from "../../src/model/weights/dequantize.ts";
import { readStored } from "../../src/model/weights/encoding.ts";
import { openFile } from "../../src/model/weights/file.ts";
import { readGgufHeader } from "../../src/model/weights/gguf.ts";
import { openWeights, saveModelFiles, writeSafetensors } from "../../src/model/weights/index.ts";
import { ggufEncoders, type GgufType } from "../../src/model/weights/quantize.ts";
import { stream } from "../../src/system/random.ts";
import { loadTokenizer, tokenizerFromGguf } from "../../src/text/index.ts";
import { Interrupted } from "../../src/system/interrupted.ts";
import { writeFiles } from "../../src/cli/export/write-files.ts";
import { modelfile } from "../../src/cli/export/modelfile.ts";
import { canMount, diskFull, mountDisk } from "../recipes/small-disk.ts";
import { fixtures, temporaryFolder, tied, tokensift } from "./run.ts";

const folder = temporaryFolder();
const bpe = loadTokenizer(join(fixtures, "text/bpe"));
const config = parseDecoderConfig(
  {
    model_type: "llama",
    vocab_size: bpe.vocabularySize + 3,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 5e5,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    },
    attention_bias: true,
    bos_token_id: 1,
    eos_token_id: bpe.endOfText![0],
  },
  "config.json",
);
const random = stream("export");
const drawn = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.next() - 0.5);
const weights = new Map(
  [...decoderTensors(config)].map(([name, shape]) => [
    name,
    { name, shape, values: drawn(shape.reduce((a, b) => a * b, 1)) },
  ]),
);
const model = folder.path("a-model");
const adapter = folder.path("an-adapter");
const changed = ["self_attn.q_proj", "mlp.down_proj"].map((part) => `model.layers.1.${part}`);
const matrices = new Map<string, { shape: number[]; values: Float32Array }>(
  changed.flatMap((module) => {
    const [outputs, inputs] = weights.get(`${module}.weight`)!.shape as [number, number];
    return [
      [`${module}.A`, { shape: [4, inputs], values: drawn(4 * inputs) }],
      [`${module}.B`, { shape: [outputs, 4], values: drawn(outputs * 4) }],
    ];
  }),
);

beforeAll(async () => {
  const files = { config, tensors: weights.values(), tokenizerFiles: bpe.files, card: "Random." };
  await saveModelFiles(model, files);
  mkdirSync(adapter);
  const settings = {
    peft_type: "LORA",
    r: 4,
    lora_alpha: 16,
    use_rslora: true,
    target_modules: ["q_proj", "down_proj"],
    layers_to_transform: [1],
  };
  folder.write("an-adapter/adapter_config.json", JSON.stringify(settings));
  const named = changed.flatMap((module) =>
    (["A", "B"] as const).map((which) => ({
      name: `base_model.model.${module}.lora_${which}.weight`,
      ...matrices.get(`${module}.${which}`)!,
    })),
  );
  await writeSafetensors(join(adapter, "adapter_model.safetensors"), named);
});

const fromModel = (...flags: string[]) => tokensift("export", "--model", model, ...flags);

/** The values that a format makes of others. */
function rounded(values: Float32Array, type: GgufType): Float32Array {
  const target = new Float32Array(values.length);
  ggufEncodings.get(ggufEncoders[type].code)!.decode(ggufEncoders[type].encode(values, "").slice(), target);
  return target;
}

/** `weight + scaling * b a`, the scaling that of rsLoRA: 16 / sqrt(4). */
function merged(name: string): Float32Array {
  const { values, shape } = weights.get(name)!;
  const module = name.replace(/\.weight$/, "");
  const [a, b] = ["A", "B"].map((which) => matrices.get(`${module}.${which}`)?.values);
  if (a === undefined || b === undefined) return values;
  const inputs = shape[1]!;
  return values.map((value, at) => {
    const [row, column] = [Math.floor(at / inputs), at % inputs];
    let sum = 0;
    for (let r = 0; r < 4; r++) sum += b[row * 4 + r]! * a[r * inputs + column]!;
    return value + 8 * sum;
  });
}

describe("tokensift export", () => {
  test.each<[GgufType, (name: string) => GgufType]>([
    ["f32", () => "f32"],
    ["f16", () => "f16"],
    ["bf16", () => "bf16"],
    ["q8_0", () => "q8_0"],
    ["q4_0", (name) => (name === "lm_head.weight" ? "q8_0" : "q4_0")],
  ])("%s: what was written is read back as the same model, rounded", async (type, typeOf) => {
    const out = folder.path(`all-${type}.gguf`);
    const { code, out: printed, err } = await fromModel("--gguf", type, "--out", out);
    expect([code, printed]).toEqual([0, ""]);
    expect(err).toContain("30 tensors"); // of two layers 9 weights and 4 biases each, 3 around them, and rope_freqs
    const read = await openWeights(out);
    expect(read.config).toEqual({ ...config, initializerRange: 0.02, epsilon: Math.fround(1e-5) });
    for (const [name, { values, shape }] of weights) {
      const kept = shape.length === 1 ? "f32" : typeOf(name);
      expect([name, await read.read(name)]).toEqual([name, rounded(values, kept)]);
    }
    const tokenizer = tokenizerFromGguf(read.metadata!);
    const text = "Hello <|im_start|>user\n12 naïve 😀<|im_end|>";
    expect(tokenizer.encode(text)).toEqual(bpe.encode(text));
    expect(tokenizer.chatTemplate).toBe(bpe.chatTemplate);
    expect(tokenizer.endOfText).toEqual(bpe.endOfText);
    await read.close();
  });

  test("the header names no path of this machine, and a Modelfile lies beside the file", async () => {
    const out = folder.path("my model.gguf");
    expect((await fromModel("--gguf", "q8_0", "--out", out)).code).toBe(0);
    const { metadata } = await openWeights(out).then(async (read) => (await read.close(), read));
    expect(metadata).toMatchObject({
      "general.architecture": "llama",
      "general.name": "my model",
      "general.file_type": 7,
      "general.alignment": 32,
      "tokenizer.ggml.model": "gpt2",
    });
    expect(readFileSync(out).includes(folder.path("").slice(0, -1))).toBe(false);
    const end = bpe.piece(bpe.endOfText![0]!);
    expect(readFileSync(folder.path("my model.Modelfile"), "utf8")).toBe(
      `FROM "./my model.gguf"\nPARAMETER stop "${end}"\n`,
    );
    const named = folder.path("named.gguf");
    await fromModel("--gguf", "f16", "--out", named, "--name", "Another");
    expect((await openWeights(named)).metadata!["general.name"]).toBe("Another");
  });

  test("--adapter: the weights with the adapter added", async () => {
    const out = folder.path("merged.gguf");
    expect((await fromModel("--adapter", adapter, "--gguf", "f32", "--out", out)).code).toBe(0);
    const read = await openWeights(out);
    for (const name of weights.keys()) {
      const values = await read.read(name);
      const expected = merged(name);
      const apart = values.map((value, i) => Math.abs(value - expected[i]!));
      expect([name, apart.every((difference) => difference < 1e-6)]).toEqual([name, true]);
    }
    await read.close();
  });

  test("--adapter-only: the matrices under llama.cpp's names, B's rows of q in its order", async () => {
    const out = folder.path("alone.gguf");
    const { code, err } = await fromModel("--adapter", adapter, "--adapter-only", "--gguf", "f32", "--out", out);
    expect([code, err.includes("4 tensors")]).toEqual([0, true]);
    expect(existsSync(folder.path("alone.Modelfile"))).toBe(false);
    const file = await openFile(out);
    const { metadata, tensors } = readGgufHeader(file);
    expect(metadata).toMatchObject({
      "general.architecture": "llama",
      "general.type": "adapter",
      "adapter.type": "lora",
      "adapter.lora.alpha": 32, // over a rank of 4 the 8 of rsLoRA
    });
    const values = async (name: string): Promise<Float32Array> => readStored(file, tensors.get(name)!);
    const q = "model.layers.1.self_attn.q_proj";
    expect(await values("blk.1.attn_q.weight.lora_a")).toEqual(matrices.get(`${q}.A`)!.values);
    expect(await values("blk.1.attn_q.weight.lora_b")).toEqual(
      rotationOrder(matrices.get(`${q}.B`)!.values, "pairs", { heads: 4, headSize: 8 }),
    );
    const down = "model.layers.1.mlp.down_proj";
    expect(tensors.get("blk.1.ffn_down.weight.lora_a")!.shape).toEqual([4, 64]);
    expect(await values("blk.1.ffn_down.weight.lora_b")).toEqual(matrices.get(`${down}.B`)!.values);
    await file.close();
    const again = await tokensift("export", "--model", out, "--gguf", "f16", "--out", folder.path("again.gguf"));
    expect([again.code, again.err]).toEqual([2, expect.stringContaining("only an adapter")]);
  });

  test("says where there is no chat template, and what to do", async () => {
    const own = loadTokenizer(folder.copyModel("untold", model)).files;
    const files = Object.fromEntries(Object.entries(own).filter(([name]) => name !== "chat_template.jinja"));
    const bare = JSON.parse(new TextDecoder().decode(files["tokenizer_config.json"])) as Record<string, unknown>;
    delete bare["chat_template"];
    rmSync(folder.path("untold/chat_template.jinja"), { force: true });
    folder.write("untold/tokenizer_config.json", JSON.stringify(bare));
    const argv = ["--gguf", "f16", "--overwrite", "--out", folder.path("untold.gguf")];
    const silent = await fromModel(...argv);
    const said = await tokensift("export", "--model", folder.path("untold"), ...argv);
    expect([silent.code, said.code]).toEqual([0, 0]);
    expect(silent.err).not.toContain("chat template");
    expect(said.err).toMatch(/^The model has no chat template, .*chat_template\.jinja and export again\.$/m);
  });

  test("an adapter's own chat template goes into the file; of an adapter alone it is said that it cannot", async () => {
    const trained = folder.copyModel("trained-adapter", adapter);
    folder.write("trained-adapter/chat_template.jinja", "{{ given }}");
    const out = folder.path("templated.gguf");
    const whole = await fromModel("--adapter", trained, "--gguf", "f16", "--out", out);
    expect([whole.code, whole.err]).toEqual([0, expect.stringContaining("as the adapter was trained with it")]);
    const read = await openWeights(out);
    expect(read.metadata!["tokenizer.chat_template"]).toBe("{{ given }}");
    await read.close();
    const alone = await fromModel("--adapter", trained, "--adapter-only", "--gguf", "f16", "--overwrite", "--out", out);
    expect([alone.code, alone.err]).toEqual([0, expect.stringContaining("--chat-template-file")]);
  });

  test("a GGUF file that is read is written again", async () => {
    const [first, second] = [folder.path("first.gguf"), folder.path("second.gguf")];
    await fromModel("--gguf", "q8_0", "--out", first);
    expect(
      (await tokensift("export", "--model", first, "--gguf", "q8_0", "--out", second, "--name", "first")).code,
    ).toBe(0);
    expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
  });

  const refusals: [string, string[], RegExp][] = [
    ["a tokenizer of words", ["--model", tied], /WordLevel/],
    ["another ending", ["--out", "x.bin"], /x\.bin: .*\.gguf/],
    ["an unknown format", ["--gguf", "q8_1"], /Did you mean q8_0/],
    ["no format", ["--gguf", ""], /--gguf is missing/],
    ["an adapter that is not given", ["--adapter-only"], /--adapter DIR/],
    ["a model that is none", ["--model", "nowhere"], /--model nowhere/],
    ["an adapter in the place of the model", ["--model", adapter], /holds only an adapter/],
    ["a model in the place of the adapter", ["--adapter", model], /--adapter .*whole model/],
  ];
  test.each(refusals)("refuses %s, and leaves nothing", async (_, flags, reason) => {
    mkdirSync(folder.path("empty"), { recursive: true });
    const given = ["--model", model, "--gguf", "f16", "--out", folder.path("empty/x.gguf")];
    for (const flag of ["--model", "--gguf", "--out"]) {
      const at = flags.indexOf(flag);
      if (at >= 0) given.splice(given.indexOf(flag), 2);
    }
    const { code, err } = await tokensift("export", ...given, ...flags);
    expect([code, err]).toEqual([2, expect.stringMatching(reason)]);
    expect(readdirSync(folder.path("empty"))).toEqual([]);
  });

  test("a file that is there stays without --overwrite, also the Modelfile, also where writing fails", async () => {
    mkdirSync(folder.path("kept"));
    const out = folder.path("kept/x.gguf");
    folder.write("kept/x.Modelfile", "mine");
    const refused = await fromModel("--gguf", "f16", "--out", out);
    expect([refused.code, refused.err]).toEqual([2, expect.stringMatching(/x\.Modelfile: the file exists/)]);
    folder.write("kept/x.gguf", "mine, too");
    const broken = folder.path("broken");
    const tensors = [...weights.values()].map((tensor) =>
      tensor.name === "lm_head.weight"
        ? { ...tensor, values: new Float32Array(tensor.values.length).fill(NaN) }
        : tensor,
    );
    await saveModelFiles(broken, { config, tensors, tokenizerFiles: bpe.files, card: "" });
    const failed = await tokensift("export", "--model", broken, "--gguf", "f16", "--out", out, "--overwrite");
    expect([failed.code, failed.err]).toEqual([2, expect.stringContaining("lm_head.weight holds NaN")]);
    expect(readdirSync(folder.path("kept")).toSorted()).toEqual(["x.Modelfile", "x.gguf"]);
    expect(readFileSync(out, "utf8")).toBe("mine, too");
    expect((await fromModel("--gguf", "f16", "--out", out, "--overwrite")).code).toBe(0);
    expect(readFileSync(folder.path("kept/x.Modelfile"), "utf8")).toContain("FROM ./x.gguf");
  });
});

(canMount() ? test : test.skip)("a full disk leaves nothing, and is named", async () => {
  const disk = mountDisk(folder.path("small"), 64);
  try {
    const { code, err } = await fromModel("--gguf", "f32", "--out", folder.path("small/x.gguf"));
    expect([code, err]).toEqual([2, expect.stringMatching(diskFull)]);
    expect(readdirSync(disk.path)).toEqual([]);
  } finally {
    disk.unmount();
  }
});

test("being stopped in the middle leaves nothing", async () => {
  mkdirSync(folder.path("stopped"));
  const tensors = ["a", "b"].map((name) => ({
    name,
    shape: [8],
    type: "f32" as const,
    values: () => new Float32Array(8),
  }));
  let left = 3;
  let seen: string[] = [];
  const check = async (): Promise<void> => {
    seen = readdirSync(folder.path("stopped"));
    if (left-- === 0) throw new Interrupted("stopped");
  };
  const stderr = { write: () => undefined };
  const about = { texts: new Map([[folder.path("stopped/x.Modelfile"), "FROM"]]), stderr, check };
  const out = folder.path("stopped/x.gguf");
  await expect(writeFiles(out, { entries: {}, tensors }, about)).rejects.toThrow(Interrupted);
  expect(seen).toEqual([expect.stringMatching(/^x\.gguf\..*\.tmp$/)]);
  expect(readdirSync(folder.path("stopped"))).toEqual([]);
});

test("a Modelfile stops at every end, whatever its signs", () => {
  expect(modelfile("/a/b.gguf", ["<|a|>", 'say "b"', "\n"])).toBe(
    'FROM ./b.gguf\nPARAMETER stop "<|a|>"\nPARAMETER stop """say "b""""\nPARAMETER stop """\n"""\n',
  );
});
