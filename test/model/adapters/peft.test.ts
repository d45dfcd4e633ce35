import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAdapter, loadAdapter, saveAdapter, withAdapter, type Decoder } from "../../../src/model/index.ts";
import { logitsOf, openDecoder, readTensors } from "../reference.ts";
import { userError } from "../../user-error.ts";
import { adapterFixture, adapterFixtures, fillB, firstText, peftReference, scratchFolder } from "./adapters.ts";

const scratch = scratchFolder();

type Settings = Record<string, unknown>;

function configOf(folder: string): Settings {
  return JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8")) as Settings;
}

describe("an adapter folder", () => {
  test("written and read again is the same adapter", async () => {
    const base = await openDecoder("tied");
    const before = tf.memory().numTensors;
    const options = { rank: 3, alpha: 5, rsLora: true, dropout: 0.1, projections: ["q", "down"], layers: [1] } as const;
    const adapter = await createAdapter(base, { ...options, seed: 4 });
    fillB(adapter, 1);
    const model = withAdapter(base, adapter);
    await saveAdapter(model, scratch("own"), { card: "# An adapter\n" });
    const again = await loadAdapter(scratch("own"), base, { seed: 4 });
    expect(again.settings).toEqual(adapter.settings);
    expect(again.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    const same = withAdapter(base, again);
    expect(await logitsOf(same, firstText("tied"))).toEqual(await logitsOf(model, firstText("tied")));
    expect(readFileSync(join(scratch("own"), "README.md"), "utf8")).toBe("# An adapter\n");
    model.dispose();
    same.dispose();
    expect(tf.memory().numTensors).toBe(before);
    base.dispose();
  });

  test("must be a folder", async () => {
    const base = await openDecoder("tied");
    const file = join(adapterFixture("tied"), "adapter_config.json");
    await expect(loadAdapter(file, base)).rejects.toThrow(userError("not-a-folder", "adapter_config.json"));
    base.dispose();
  });

  test.each(adapterFixtures())("holds what PEFT wrote of %s", async (name) => {
    const below = peftReference(name).model;
    const base = await openDecoder(below);
    const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
    await saveAdapter(model, scratch(name), { card: "", baseModel: below });
    const file = "adapter_model.safetensors";
    const written = await readTensors(adapterFixture(name, file));
    for (const key of [...written.keys()]) if (key.includes(".base_layer.")) written.delete(key); // the model's own
    expect(await readTensors(join(scratch(name), file))).toEqual(written);
    const theirs = configOf(adapterFixture(name));
    const { target_modules, ...ours } = configOf(scratch(name));
    if (["tied", "untied", "dora"].includes(name))
      expect([...(target_modules as string[])].sort()).toEqual(theirs["target_modules"]);
    expect({ ...theirs, exclude_modules: null }).toMatchObject(ours); // the modules are named
    const again = await loadAdapter(scratch(name), base);
    expect(again.settings).toEqual(model.adapter.settings);
    again.dispose();
    model.dispose();
    base.dispose();
  });

  test("is replaced as a whole, unless it holds other files", async () => {
    const base = await openDecoder("tied");
    const model = withAdapter(base, await createAdapter(base, { rank: 1 }));
    const folder = scratch("again");
    await saveAdapter(model, folder, { card: "first" });
    await saveAdapter(model, folder, { card: "second" });
    expect(readFileSync(join(folder, "README.md"), "utf8")).toBe("second");
    writeFileSync(join(folder, "notes.txt"), "mine");
    await expect(saveAdapter(model, folder, { card: "third" })).rejects.toThrow(
      userError("foreign-files", "notes.txt"),
    );
    expect(readdirSync(scratch(".")).filter((name) => name.startsWith("."))).toEqual([]);
    model.dispose();
    base.dispose();
  });
});

describe("a folder that is not an adapter of the model", () => {
  let base: Decoder;
  beforeAll(async () => {
    base = await openDecoder("tied");
  });

  /** Loading the folder fails with this error and leaves no tensor. */
  async function expectRefusal(folder: string, refusal: unknown): Promise<void> {
    const before = tf.memory().numTensors;
    await expect(loadAdapter(folder, base)).rejects.toThrow(refusal);
    expect(tf.memory().numTensors).toBe(before);
  }

  let made = 0;
  function copyWith(change: (config: Settings) => void): string {
    const folder = scratch(`copy-${made++}`);
    cpSync(adapterFixture("tied"), folder, { recursive: true });
    const config = configOf(folder);
    change(config);
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    return folder;
  }

  test.each<[string, unknown, unknown]>([
    ["peft_type", "IA3", userError("unsupported-adapter", '"IA3"')],
    ["use_dora", true, userError("missing-tensor", "lora_magnitude_vector")],
    ["rank_pattern", { q_proj: 2 }, userError("wrong-shape", /q_proj\.lora_A\.weight.*\[3, 16\].*\[2, 16\]/)],
    ["rank_pattern", { "(.*)+x": 2 }, userError("invalid-adapter", "(.*)+x")],
    ["rank_pattern", { q_proj: 0 }, userError("invalid-adapter", /rank_pattern.*q_proj/)],
    ["modules_to_save", ["lm_head"], userError("missing-tensor", "base_model.model.lm_head.weight")],
    ["modules_to_save", ["pooler"], userError("unsupported-adapter", "pooler")],
    ["exclude_modules", ["q_proj"], userError("invalid-adapter", /q_proj .*target_modules/)],
    ["layers_to_transform", [0], userError("invalid-adapter", /layers\.1\..*target_modules/)],
    ["layers_to_transform", "first", userError("invalid-adapter", "layers_to_transform")],
    ["target_modules", "model\\.layers\\.0\\..*", userError("invalid-adapter", /layers\.1\..*target_modules/)],
    ["target_modules", "(?i)Q_PROJ", userError("invalid-adapter", "(?i)Q_PROJ")],
    ["lora_bias", true, userError("unsupported-adapter", "lora_bias")],
    ["layer_replication", [[0, 1]], userError("unsupported-adapter", "layer_replication")],
    ["target_parameters", ["weight"], userError("unsupported-adapter", "target_parameters")],
    ["trainable_token_indices", [1], userError("unsupported-adapter", "trainable_token_indices")],
    ["alora_invocation_tokens", [1], userError("unsupported-adapter", "alora_invocation_tokens")],
    ["megatron_config", { a: 1 }, userError("unsupported-adapter", "megatron_config")],
    ["key_of_next_year", 1, userError("unsupported-adapter", "key_of_next_year")],
    ["init_lora_weights", "mica", userError("unsupported-adapter", '"mica"')],
    ["bias", "all", userError("unsupported-adapter", 'bias is "all"')],
    ["init_lora_weights", "pissa", userError("unsupported-adapter", 'init_lora_weights is "pissa"')],
    ["r", 4, userError("wrong-shape", /q_proj\.lora_A\.weight.*\[3, 16\].*\[4, 16\]/)],
    ["r", 1e9, userError("invalid-adapter", /adapter_config\.json: r\b/)],
    ["lora_alpha", null, userError("invalid-adapter", "lora_alpha")],
    ["lora_dropout", 1, userError("invalid-adapter", "lora_dropout")],
    ["target_modules", ["q_proj"], userError("invalid-adapter", /mlp\.down_proj .*target_modules/)],
    ["target_modules", "(q{,1}|k)_proj", userError("invalid-adapter", "(q{,1}|k)_proj")],
    ["target_modules", null, userError("unsupported-adapter", "target_modules")],
    ["layers_pattern", "(", userError("invalid-adapter", /layers_pattern.*"\("/)],
    ["layers_pattern", "(.|.)*x", userError("invalid-adapter", /layers_pattern/)],
    ["layers_pattern", ["layers", "h|layers"], userError("invalid-adapter", /layers_pattern.*h\|layers/)],
    ["target_modules", 3, userError("invalid-adapter", /adapter_config\.json: target_modules/)],
  ])("is refused with %s = %p", async (key, value, refusal) => {
    await expectRefusal(
      copyWith((config) => (config[key] = value)),
      refusal,
    );
  });

  test("is refused where its embeddings are not the model's", async () => {
    const other = await openDecoder("tied");
    await expect(loadAdapter(adapterFixture("embeddings"), other)).rejects.toThrow(userError("model-mismatch"));
    const embedding = other.embedding as tf.Variable<tf.Rank.R2>;
    tf.tidy(() => embedding.assign(tf.mul(embedding, 1.1)));
    await expect(loadAdapter(adapterFixture("tied-embeddings"), other)).rejects.toThrow(
      userError("model-mismatch", "base_layer.weight"),
    );
    other.dispose();
  });

  test("is refused where a change is to be tied, and the model's embeddings are", async () => {
    const folder = scratch("tying");
    cpSync(adapterFixture("tied-embedding"), folder, { recursive: true });
    const config = { ...configOf(folder), ensure_weight_tying: true };
    writeFileSync(join(folder, "adapter_config.json"), JSON.stringify(config));
    await expectRefusal(folder, userError("unsupported-adapter", "ensure_weight_tying"));
  });

  test("is accepted with a pattern for its modules and settings left out", async () => {
    const folder = copyWith((config) => {
      config["target_modules"] = "all-linear";
      for (const key of Object.keys(config))
        if (!["peft_type", "r", "lora_alpha", "target_modules"].includes(key)) Reflect.deleteProperty(config, key);
    });
    const adapter = await loadAdapter(folder, base);
    expect(adapter.settings).toMatchObject({ rank: 3, alpha: 6, rsLora: false, dropout: 0, layers: [0, 1] });
    adapter.dispose();
  });

  test("is refused when it belongs to another model, is incomplete, damaged, or something else", async () => {
    await expectRefusal(scratch("nowhere"), userError("missing-file", "nowhere"));
    await expectRefusal("someone/some-lora", userError("missing-file", "hf download someone/some-lora"));
    const damaged = copyWith(() => undefined);
    writeFileSync(join(damaged, "adapter_config.json"), "{");
    await expectRefusal(damaged, userError("invalid-json", "adapter_config.json"));
    const truncated = copyWith(() => undefined);
    writeFileSync(
      join(truncated, "adapter_model.safetensors"),
      readFileSync(adapterFixture("tied", "adapter_model.safetensors")).subarray(0, 5000),
    );
    await expectRefusal(truncated, userError("damaged-file", "adapter_model.safetensors"));
    const pickled = scratch("pickled");
    mkdirSync(pickled);
    for (const name of ["adapter_config.json", "adapter_model.bin"]) writeFileSync(join(pickled, name), "{}");
    await expectRefusal(pickled, userError("missing-file", "adapter_model.safetensors"));
    const other = await openDecoder("untied");
    await expect(loadAdapter(adapterFixture("tied"), other)).rejects.toThrow(
      userError("wrong-shape", /q_proj\.lora_B\.weight.*\[16, 3\].*\[32, 3\]/),
    );
    other.dispose();
  });
});
