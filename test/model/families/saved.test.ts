import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseDecoderConfig } from "../../../src/model/config-file.ts";
import { loadModel, saveModel } from "../../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { readTensors } from "../reference.ts";
import { temporaryFolder } from "../weights/files.ts";
import { named } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);
const inFolder = temporaryFolder();

describe.each(named)("the model %s, written back", (name, { folder }) => {
  test("reads back as it was: configuration and every tensor, under the names that its family's files have", async () => {
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
    expect(JSON.parse(await readFile(join(written, "config.json"), "utf8"))).toMatchObject(
      familyKeys(JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>),
    );
    model.dispose();
    again.dispose();
  });

  test("is written the same whichever dialect it was read in", async () => {
    const older = inFolder(`${name}-older`);
    await cp(folder, older, { recursive: true });
    await writeFile(join(older, "config.json"), await readFile(join(folder, "config-4.json")));
    const [model, same] = await Promise.all([folder, older].map((path) => loadModel(path)));
    expect(same!.config).toEqual(model!.config);
    expect(parseDecoderConfig(JSON.parse(await readFile(join(older, "config.json"), "utf8")), "")).toEqual(
      model!.config,
    );
    await saveModel(model!, inFolder(`${name}-from-5`), { card: name });
    await saveModel(same!, inFolder(`${name}-from-4`), { card: name });
    const texts = await Promise.all(
      ["5", "4"].map((dialect) => readFile(join(inFolder(`${name}-from-${dialect}`), "config.json"), "utf8")),
    );
    expect(texts[1]).toBe(texts[0]);
    model!.dispose();
    same!.dispose();
  });
});

/** What says which family's model it is. */
function familyKeys({ model_type, architectures }: Record<string, unknown>): Record<string, unknown> {
  return { model_type, architectures };
}
