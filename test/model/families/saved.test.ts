import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { decoderConfigText, parseDecoderConfig, writeDecoderConfig } from "../../../src/model/config-file.ts";
import { loadModel, saveModel } from "../../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { readTensors } from "../reference.ts";
import { temporaryFolder } from "../weights/files.ts";
import { named } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);
const inFolder = temporaryFolder();

async function readJson(...path: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(...path), "utf8")) as Record<string, unknown>;
}

describe.each(named)("the model %s, written back", (name, { folder }) => {
  test("reads back as it was: configuration and every tensor, under the names that its family's files have", async () => {
    // test/fixtures/model/families/check_written.py has transformers read what is kept
    const written = join(process.env["WRITTEN_FAMILIES"] ?? inFolder("written"), name);
    await mkdir(join(written, ".."), { recursive: true });
    const model = await loadModel(folder);
    await saveModel(model, written, { card: name });
    const again = await loadModel(written);
    expect(again.config).toEqual(model.config);
    for (const [i, { name: tensor, variable }] of model.parameters.entries()) {
      expect(again.parameters[i]!.name).toBe(tensor);
      expect(await again.parameters[i]!.variable.data()).toEqual(await variable.data());
    }
    const [before, after] = await Promise.all(
      [folder, written].map((path) => readTensors(join(path, "model.safetensors"))),
    );
    expect([...after!.keys()].sort()).toEqual([...before!.keys()].sort());
    for (const [tensor, values] of before!) expect(after!.get(tensor)).toEqual(values);
    const { model_type, architectures } = await readJson(folder, "config.json");
    expect(await readJson(written, "config.json")).toMatchObject({ model_type, architectures });
    await writeFile(`${written}.json`, decoderConfigText(model.config));
    model.dispose();
    again.dispose();
  });

  test("says the same after it was read in the dialect of transformers 4", async () => {
    const [older, written] = [inFolder(`${name}-older`), inFolder(`${name}-from-4`)];
    await cp(folder, older, { recursive: true });
    await cp(join(folder, "config-4.json"), join(older, "config.json"));
    const [model, same] = await Promise.all([folder, older].map((path) => loadModel(path)));
    expect(same!.config).toEqual(model!.config);
    await saveModel(same!, written, { card: name });
    expect(parseDecoderConfig(await readJson(written, "config.json"), "config.json")).toEqual(model!.config);
    model!.dispose();
    same!.dispose();
  });

  test("says the same in the keys that transformers 4 knows, and in those that transformers 5 has for them", async () => {
    const config = parseDecoderConfig(await readJson(folder, "config.json"), "config.json");
    const written = writeDecoderConfig(config);
    const without = (...keys: string[]): Record<string, unknown> =>
      Object.fromEntries(Object.entries(written).filter(([key]) => !keys.includes(key)));
    expect(parseDecoderConfig(without("rope_parameters", "layer_types", "dtype"), "4")).toEqual(config);
    const older = ["rope_theta", "rope_scaling", "rope_local_base_freq", "partial_rotary_factor", "max_window_layers"];
    expect(parseDecoderConfig(without(...older, "sliding_window_pattern", "torch_dtype"), "5")).toEqual(config);
  });
});
