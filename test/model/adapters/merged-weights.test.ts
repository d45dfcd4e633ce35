import { describe, expect, test } from "@jest/globals";
import { mergedWeights } from "../../../src/model/adapters/merged-weights.ts";
import { openStoredAdapter } from "../../../src/model/adapters/stored-adapter.ts";
import { ggufOfAdapter } from "../../../src/model/gguf-adapter.ts";
import { loadAdapter, mergeAdapter, withAdapter } from "../../../src/model/index.ts";
import { openWeights } from "../../../src/model/weights/index.ts";
import { fixture, openDecoder } from "../reference.ts";
import { userError } from "../../user-error.ts";
import { adapterFixture, adapterFixtures, peftReference } from "./adapters.ts";

describe("an adapter that is read tensor by tensor, without an engine", () => {
  test.each(adapterFixtures())("merges %s as the engine does", async (name) => {
    const below = peftReference(name).model;
    const base = await openDecoder(below);
    const { model } = await mergeAdapter(withAdapter(base, await loadAdapter(adapterFixture(name), base)));
    const source = await openWeights(fixture(below));
    const adapter = await openStoredAdapter(adapterFixture(name), source);
    const merged = mergedWeights(source, adapter);
    expect(merged.config.tiedOutput).toBe(model.config.tiedOutput);
    for (const { name: weight, variable } of model.parameters) {
      const [own, expected] = [await merged.read(weight), await variable.data<"float32">()];
      expect([weight, own.length]).toEqual([weight, expected.length]);
      const furthest = own.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      expect(furthest).toBeLessThan(1e-6);
    }
    await Promise.all([adapter.close(), source.close()]);
    model.dispose();
  });

  const alone = async (name: string): Promise<unknown> => {
    const source = await openWeights(fixture(peftReference(name).model));
    const adapter = await openStoredAdapter(adapterFixture(name), source);
    try {
      return ggufOfAdapter(adapter, source.config, { type: "f16", name });
    } finally {
      await Promise.all([adapter.close(), source.close()]);
    }
  };
  test.each([
    ["dora", "DoRA"],
    ["saved", "as a whole"],
    ["tied-embedding", "embed_tokens"],
  ])("%s is not laid over a model by llama.cpp, which is said", async (name, reason) => {
    await expect(alone(name)).rejects.toThrow(userError("unsupported-adapter", reason));
  });

  test("each weight's own scaling is what alpha, rank and B make of it", async () => {
    const source = await openWeights(fixture(peftReference("patterns").model));
    const adapter = await openStoredAdapter(adapterFixture("patterns"), source);
    const { entries, tensors } = ggufOfAdapter(adapter, source.config, { type: "f32", name: "patterns" });
    const { float: alpha } = entries["adapter.lora.alpha"] as { float: number };
    const scalings = [...adapter.changes.values()].map(({ scaling }) => scaling);
    expect(new Set(scalings).size).toBeGreaterThan(1);
    for (const [i, change] of [...adapter.changes.values()].entries()) {
      const [a, b] = [tensors[2 * i]!, tensors[2 * i + 1]!];
      expect([a.shape[0], b.shape[1]]).toEqual([change.rank, change.rank]);
      const total = (values: Float32Array): number => values.reduce((sum, value) => sum + Math.abs(value), 0);
      const share = total(await b.values()) / total(await change.b());
      expect((alpha / change.rank) * share).toBeCloseTo(change.scaling, 5);
    }
    await Promise.all([adapter.close(), source.close()]);
  });
});
