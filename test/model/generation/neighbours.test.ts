import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { join } from "node:path";
import type { Decoder } from "../../../src/model/decoder.ts";
import { continuation } from "../../../src/model/generation/continuation.ts";
import { valuesByRow } from "../../../src/model/generation/draws.ts";
import { contiguousCache } from "../../../src/model/generation/key-value-cache.ts";
import { generate } from "../../../src/model/generation/generate.ts";
import type { GenerateOptions } from "../../../src/model/generation/options.ts";
import { initializeModel } from "../../../src/model/initialize.ts";
import { loadModel } from "../../../src/model/index.ts";
import { stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { distance } from "../reference.ts";
import { bitsOf } from "./bits.ts";

const random = stream("neighbours");

/** Texts of random ids. */
function textsOf(lengths: readonly number[], vocabulary: number): number[][] {
  return lengths.map((length) => Array.from({ length }, () => 4 + random.below(vocabulary - 4)));
}

beforeAll(() => useEngine("cpu", { threads: 2 }));
afterAll(releaseEngine);

describe("a text on the cpu engine does not notice its neighbours", () => {
  test.each<[string, Partial<GenerateOptions>]>([
    ["at temperature 1", { temperature: 1 }],
    ["with top-p", { temperature: 1, topP: 0.9 }],
    ["with top-k", { temperature: 1, topK: 20 }],
    ["with both", { temperature: 0.7, topK: 20, topP: 0.8 }],
    ["taking the most likely", {}],
  ])("%s", async (_, options) => {
    const model = await loadModel(join(import.meta.dirname, "../../../models/tiny"));
    const prompts = textsOf([3, 40, 1, 17, 8, 25], model.config.vocabularySize);
    const all = { maxNewTokens: 4, seed: 3, samples: 2, ...options };
    const rows = await generate(model, prompts, { ...all, batchSize: 8 });
    expect(await generate(model, prompts, { ...all, batchSize: 1 })).toEqual(rows);
    expect(await generate(model, prompts, { ...all, batchSize: 3 })).toEqual(rows);
    expect(await generate(model, prompts, { ...all, batchSize: 40 })).toEqual(rows);
    const backwards = { ...all, rowIds: [5, 4, 3, 2, 1, 0], batchSize: 5 };
    const turned = await generate(model, prompts.toReversed(), backwards);
    expect(turned.slice(0, 2)).toEqual(rows.slice(-2));
    model.dispose();
  });

  test.each([
    { width: 128, feedForwardWidth: 352, vocabularySize: 250 },
    { width: 288, feedForwardWidth: 1200, vocabularySize: 3000 }, // products that are split over threads
  ])("to the last bit: $width wide", async (sizes) => {
    const decoder = await initializeModel(
      { ...(await tinyConfig()), ...sizes, layers: 2, headSize: sizes.width / 4 },
      { seed: 1 },
    );
    const texts = textsOf([5, 30, 1, 12, 3, 18], sizes.vocabularySize);
    const alone: Float32Array[] = [];
    for (const text of texts.keys()) alone.push(...(await lastDistributions(decoder, texts, [text])));
    for (const group of [
      [0, 1],
      [3, 0, 5],
      [5, 4, 3, 2, 1, 0],
    ])
      expect(await lastDistributions(decoder, texts, group)).toEqual(group.map((text) => alone[text]));
    const [fast] = await lastDistributions(decoder, texts, [1], true);
    expect(distance(fast!, alone[1]!)).toBeLessThan(1e-5);
    decoder.dispose();
  });
});

describe.each(["onnxruntime", "wasm"] as const)("prompts computed together with products by %s", (matmul) => {
  const lengths = [1, 2, 15, 16, 17, 64, 127, 128, 129, 300];
  const texts = textsOf(lengths, 1000);
  const packs = [
    lengths.keys(),
    [...lengths.keys()].reverse(),
    [0, 9],
    [9, 0, 1],
    [4, 3, 2],
    [8, 5, 6, 7],
    [5, 3, 5, 0, 5], // a text more than once
  ].map((pack) => [...pack]);

  test("give each text the bits that it has alone, on any number of threads", async () => {
    let before: string[] | undefined;
    for (const threads of [1, 2]) {
      await useEngine("cpu", { threads, matmul });
      const sizes = { width: 288, feedForwardWidth: 1200, vocabularySize: 1000, layers: 2, headSize: 72 };
      const decoder = await initializeModel({ ...(await tinyConfig()), ...sizes }, { seed: 2 });
      const alone: string[] = [];
      for (const text of texts) alone.push(...(await bitsOf(decoder, contiguousCache, [text])));
      expect(new Set(alone).size).toBe(texts.length);
      for (const pack of packs) {
        const found = await bitsOf(
          decoder,
          contiguousCache,
          pack.map((text) => texts[text]!),
        );
        expect(found).toEqual(pack.map((text) => alone[text]));
      }
      expect(alone).toEqual(before ?? alone);
      before = alone;
      decoder.dispose();
    }
    await useEngine("cpu", { threads: 2 });
  });
});

async function tinyConfig(): Promise<Decoder["config"]> {
  const model = await loadModel(join(import.meta.dirname, "../../../models/tiny"));
  model.dispose();
  return model.config;
}

/** The logits behind the last token of each text of a group, which took them in together. */
async function lastDistributions(
  decoder: Decoder,
  texts: readonly number[][],
  group: readonly number[],
  alone = false,
): Promise<Float32Array[]> {
  const cache = contiguousCache(decoder.config, group.length);
  const { start, extend } = continuation(decoder, cache, { read: valuesByRow, alone });
  await start([...group.entries()].map(([place, i]) => ({ ids: texts[i]!, place, forbidden: [] })));
  const newest = group.map((i, place) => ({ id: 7, position: texts[i]!.length, place }));
  await extend(newest);
  const found = await extend(newest.map(({ position, place }) => ({ id: 9, position: position + 1, place })));
  cache.dispose();
  return found;
}
