import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAdapter, loadAdapter, saveAdapter, withAdapter, type Decoder } from "../../../src/model/index.ts";
import { logitsOf, openDecoder, readTensors } from "../reference.ts";
import { userError } from "../../user-error.ts";
import { adapterFixture, fillB, firstText, scratchFolder } from "./adapters.ts";

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

  test.each(["tied", "untied"] as const)("holds what PEFT wrote for the %s model", async (name) => {
    const base = await openDecoder(name);
    const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
    await saveAdapter(model, scratch(name), { card: "", baseModel: name });
    const file = "adapter_model.safetensors";
    expect(await readTensors(join(scratch(name), file))).toEqual(await readTensors(adapterFixture(name, file)));
    const theirs = configOf(adapterFixture(name));
    const { target_modules, ...ours } = configOf(scratch(name));
    expect([...(target_modules as string[])].sort()).toEqual(theirs["target_modules"]);
    expect(theirs).toMatchObject(ours);
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
    ["use_dora", true, userError("unsupported-adapter", "use_dora")],
    ["rank_pattern", { q_proj: 2 }, userError("unsupported-adapter", "rank_pattern")],
    ["modules_to_save", ["lm_head"], userError("unsupported-adapter", "modules_to_save")],
    ["bias", "all", userError("unsupported-adapter", 'bias is "all"')],
    ["init_lora_weights", "pissa", userError("unsupported-adapter", 'init_lora_weights is "pissa"')],
    ["r", 4, userError("wrong-shape", /q_proj\.lora_A\.weight.*\[3, 16\].*\[4, 16\]/)],
    ["r", 1e9, userError("invalid-adapter", /adapter_config\.json: r\b/)],
    ["lora_alpha", null, userError("invalid-adapter", "lora_alpha")],
    ["lora_dropout", 1, userError("invalid-adapter", "lora_dropout")],
    ["target_modules", ["q_proj"], userError("invalid-adapter", /mlp\.down_proj .*target_modules/)],
    ["target_modules", 3, userError("invalid-adapter", /adapter_config\.json: target_modules/)],
  ])("is refused with %s = %p", async (key, value, refusal) => {
    await expectRefusal(
      copyWith((config) => (config[key] = value)),
      refusal,
    );
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
    await expectRefusal(scratch("nowhere"), userError("unreadable", "nowhere"));
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
