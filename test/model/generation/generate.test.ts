import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { generate } from "../../../src/model/generation/index.ts";
import { cases, enginesHere, logitsOf, openDecoder, readReference } from "../reference.ts";

const everyCase = (await enginesHere()).flatMap((engine) => cases.map((name) => ({ engine, name })));

describe.each(everyCase)("generation with the $name model on the $engine engine", ({ engine, name }) => {
  const { greedy } = readReference(name);
  const prompts = greedy.map(({ prompt }) => prompt);

  test("continues prompts of different lengths as transformers does", async () => {
    const decoder = await openDecoder(name, engine);
    const rows = await generate(decoder, prompts, { maxNewTokens: 14 });
    expect(rows.map(({ ids }) => ids)).toEqual(greedy.map(({ ids }) => ids));
    // id 7 ends a text of these models
    expect(rows.map(({ finished }) => finished)).toEqual(greedy.map(({ ids }) => ids.at(-1) === 7));
    decoder.dispose();
  });

  test("agrees with the forward pass over the whole text", async () => {
    const decoder = await openDecoder(name, engine);
    const [row] = await generate(decoder, [prompts[2]!], { maxNewTokens: 40, stop: [] });
    expect(row!.ids.length).toBe(40);
    const logits = await logitsOf(decoder, [...prompts[2]!, ...row!.ids]);
    // the logits at each place are largest for the id that follows it
    const mostLikely = logits.map((values) => values.indexOf(Math.max(...values)));
    expect(mostLikely.slice(prompts[2]!.length - 1, -1)).toEqual(row!.ids);
    decoder.dispose();
  });
});

describe("generation", () => {
  const { greedy } = readReference("tied");
  const prompts = greedy.map(({ prompt }) => prompt);
  const sampled = { maxNewTokens: 12, temperature: 1.2, seed: 5 };

  test("draws the same text whatever the batch", async () => {
    const decoder = await openDecoder("tied");
    const together = await generate(decoder, prompts, sampled);
    expect(await generate(decoder, prompts, { ...sampled, batchSize: 1 })).toEqual(together);
    const reversed = await generate(decoder, prompts.toReversed(), { ...sampled, rowIds: [3, 2, 1, 0] });
    expect(reversed.toReversed()).toEqual(together);
    decoder.dispose();
  });

  test("draws other texts for another seed, row or sample", async () => {
    const decoder = await openDecoder("tied");
    const run = async (options: object): Promise<string> =>
      JSON.stringify(await generate(decoder, [prompts[0]!], { ...sampled, ...options }));
    const texts = [run({}), run({ seed: 6 }), run({ sample: 1 }), run({ rowIds: [9] })];
    expect(new Set(await Promise.all(texts)).size).toBe(4);
    decoder.dispose();
  });

  test("stops each row at its own stop id and spends nothing on it afterwards", async () => {
    const decoder = await openDecoder("tied");
    const stop = [40, 24];
    const expected = greedy.map(({ ids }) => {
      const end = ids.findIndex((id) => stop.includes(id));
      return end < 0 ? ids : ids.slice(0, end + 1);
    });
    const tokens: number[] = [];
    const kernel = tf.getKernel("GatherV2", "cpu");
    const { kernelFunc } = kernel;
    kernel.kernelFunc = (parameters) => {
      const { x, indices } = parameters.inputs as Record<string, tf.Tensor>;
      if (x!.shape[0] === decoder.config.vocabularySize) tokens.push(indices!.size); // the embedding of the new tokens
      return kernelFunc(parameters);
    };
    try {
      const rows = await generate(decoder, prompts, { maxNewTokens: 14, stop });
      expect(rows.map(({ ids }) => ids)).toEqual(expected);
      expect(rows.map(({ finished }) => finished)).toEqual(expected.map((ids) => stop.includes(ids.at(-1)!)));
    } finally {
      kernel.kernelFunc = kernelFunc;
    }
    const working = Array.from({ length: 13 }, (_, step) => expected.filter((ids) => ids.length > step + 1).length);
    const longest = Math.max(...expected.map((ids) => ids.length));
    expect(tokens).toEqual([prompts.flat().length, ...working.slice(0, longest - 1)]);
    decoder.dispose();
  });

  test("ends where the model's context ends", async () => {
    const decoder = await openDecoder("tied");
    const prompt = Array.from({ length: 250 }, (_, i) => 8 + (i % 40));
    const [row] = await generate(decoder, [prompt], { maxNewTokens: 20, stop: [] });
    expect(row).toMatchObject({ finished: false });
    expect(row!.ids.length).toBe(6); // 256 positions
    decoder.dispose();
  });

  test("does nothing for no prompts and for no tokens", async () => {
    const decoder = await openDecoder("tied");
    expect(await generate(decoder, [], { maxNewTokens: 3 })).toEqual([]);
    expect(await generate(decoder, [[1]], { maxNewTokens: 0 })).toEqual([{ ids: [], finished: false }]);
    decoder.dispose();
  });

  test("refuses prompts and options that make no sense", async () => {
    const decoder = await openDecoder("tied");
    const run = (prompt: number[], options: object) => generate(decoder, [prompt], { maxNewTokens: 1, ...options });
    await expect(run([], {})).rejects.toThrow("prompt 0: there are no tokens");
    await expect(run(new Array<number>(256).fill(1), {})).rejects.toThrow("the model's context is 256");
    await expect(run([1], { temperature: -1 })).rejects.toThrow("temperature must be");
    await expect(run([1], { temperature: 1, topP: 0 })).rejects.toThrow("topP must be");
    await expect(run([1], { temperature: 1, topK: 1.5 })).rejects.toThrow("topK must be");
    await expect(run([1], { maxNewTokens: NaN })).rejects.toThrow("maxNewTokens must be");
    await expect(run([1], { batchSize: 0 })).rejects.toThrow("batchSize must be");
    decoder.dispose();
  });

  test("leaves no tensor behind, also when it fails", async () => {
    const decoder = await openDecoder("tied");
    const before = tf.memory().numTensors;
    await generate(decoder, prompts, { maxNewTokens: 20, temperature: 1 });
    expect(tf.memory().numTensors).toBe(before);
    decoder.finalGain.assign(tf.tidy(() => tf.fill([16], NaN)));
    await expect(generate(decoder, prompts, { maxNewTokens: 3 })).rejects.toThrow("not a number");
    expect(tf.memory().numTensors).toBe(before + 1); // the NaNs that were assigned above
    decoder.dispose();
  });
});
