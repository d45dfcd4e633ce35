import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { DecoderConfig } from "../../../src/model/config.ts";
import { createDecoder } from "../../../src/model/decoder.ts";
import { families, ggufFamilyNamed } from "../../../src/model/families/index.ts";
import { forward } from "../../../src/model/index.ts";
import { openWeights } from "../../../src/model/weights/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { distance } from "../reference.ts";
import { batchOfRows, errorsOf, fixtures, padded } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);

const expectNear = errorsOf("gguf");
const inGguf = fixtures.filter(({ folder }) => existsSync(join(folder, "model.gguf")));

test("every family that is read from GGUF files, or written to them, has one", () => {
  const expected = families.filter(({ gguf, ggufWriting }) => gguf !== undefined || ggufWriting !== undefined);
  expect(new Set(inGguf.map(({ family }) => family))).toEqual(new Set(expected.map(({ modelType }) => modelType)));
});

/** The family as which a GGUF file of a family is read: another one, where it has no name of its own there. */
function familyInGguf(modelType: string): string {
  const { gguf, ggufWriting } = families.find((family) => family.modelType === modelType)!;
  return gguf === undefined ? ggufFamilyNamed(ggufWriting?.architecture, modelType).modelType : modelType;
}

// llama.cpp computes the same of these files; test/fixtures/model/families/make_gguf.py wrote them
describe.each(inGguf.map((fixture) => [fixture.name, fixture] as const))("the GGUF file of %s", (name, fixture) => {
  const { folder, family, expected } = fixture;

  test("says what config.json says, but for what it has no keys for", async () => {
    const [file, original] = await Promise.all([openWeights(join(folder, "model.gguf")), openWeights(folder)]);
    const said = (config: DecoderConfig): unknown => inSinglePrecision({ ...config, initializerRange: 0 });
    const firstEnd = original.config.endOfText.slice(0, 1);
    expect(said(file.config)).toEqual(said({ ...original.config, family: familyInGguf(family), endOfText: firstEnd }));
    expect(file.names().sort()).toEqual(original.names().sort());
    for (const name of original.names())
      expect(distance(await file.read(name), await original.read(name))).toBeLessThan(1e-6);
    await Promise.all([file.close(), original.close()]);
  });

  test("gives every token the probability that transformers gives it", async () => {
    const file = await openWeights(join(folder, "model.gguf"));
    const decoder = await createDecoder(file.config, file.read);
    await file.close();
    using pass = forward(decoder, batchOfRows(fixture), { gradients: null, positions: "all" });
    const { logProb } = await pass.read(["logProb"]);
    const wanted = padded(expected.nll).map((nll) => -nll);
    expectNear(name, "nll", distance(logProb, wanted), 1e-4);
    decoder.dispose();
  });
});

/** Every number rounded as headers hold it. */
function inSinglePrecision(value: unknown): unknown {
  if (typeof value === "number") return Number(Math.fround(value).toPrecision(6));
  if (Array.isArray(value)) return value.map(inSinglePrecision);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, inSinglePrecision(entry)]));
}
