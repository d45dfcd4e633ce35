import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { contiguousCache, type CacheMaker } from "../../../src/model/generation/key-value-cache.ts";
import { generate } from "../../../src/model/generation/generate.ts";
import type { GenerateOptions, GenerationPace } from "../../../src/model/generation/options.ts";
import { cases, enginesHere, logitsOf, openDecoder, readReference } from "../reference.ts";
import { userError } from "../../user-error.ts";

const everyCase = enginesHere().flatMap((engine) => cases.map((name) => ({ engine, name })));

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
    const decoder = await openDecoder("tied", "cpu");
    const together = await generate(decoder, prompts, sampled);
    expect(await generate(decoder, prompts, { ...sampled, batchSize: 1 })).toEqual(together);
    const reversed = await generate(decoder, prompts.toReversed(), { ...sampled, rowIds: [3, 2, 1, 0] });
    expect(reversed.toReversed()).toEqual(together);
    decoder.dispose();
  });

  test("draws other texts for another seed, iteration, row or sample", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const run = async (options: object): Promise<string> =>
      JSON.stringify(await generate(decoder, [prompts[0]!], { ...sampled, ...options }));
    const texts = [run({}), run({ seed: 6 }), run({ iteration: 1 }), run({ sample: 1 }), run({ rowIds: [9] })];
    expect(new Set(await Promise.all(texts)).size).toBe(5);
    decoder.dispose();
  });

  test("draws several samples of each prompt, each as if drawn alone", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const rows = await generate(decoder, prompts, { ...sampled, samples: 3, batchSize: 4 });
    expect(rows.length).toBe(3 * prompts.length);
    expect(new Set(rows.map(({ ids }) => ids.join())).size).toBeGreaterThan(2 * prompts.length);
    for (const sample of [0, 1, 2]) {
      const alone = await generate(decoder, prompts, { ...sampled, sample, batchSize: 2 });
      expect(rows.filter((_, i) => i % 3 === sample)).toEqual(alone);
    }
    decoder.dispose();
  });

  test("computes a prompt once for all its samples", async () => {
    const decoder = await openDecoder("tied", "cpu");
    let started = 0;
    const counting: CacheMaker = (config, rows) => {
      const cache = contiguousCache(config, rows);
      return { ...cache, start: (layer, ...rest) => (started++, cache.start(layer, ...rest)) };
    };
    await generate(decoder, prompts, { ...sampled, samples: 5, batchSize: 3, cache: counting });
    expect(started).toBe(prompts.length * decoder.config.layers);
    decoder.dispose();
  });

  test("fills the place of a row that has ended", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const working: number[] = [];
    const counting: CacheMaker = (config, rows) => {
      const cache = contiguousCache(config, rows);
      const extend: typeof cache.extend = (layer, active, tokens) => {
        if (layer === 0) working.push(active.length);
        expect(new Set(active).size).toBe(active.length);
        return cache.extend(layer, active, tokens);
      };
      return { ...cache, extend };
    };
    const options = { ...sampled, samples: 6, batchSize: 4, stop: [40, 24, 12], maxNewTokens: 30 };
    const rows = await generate(decoder, prompts, { ...options, cache: counting });
    expect(new Set(rows.map(({ ids }) => ids.length)).size).toBeGreaterThan(4); // the rows do end at various times
    const steps = rows.map(({ ids }) => ids.length - 1).reduce((a, b) => a + b);
    expect(working.reduce((a, b) => a + b)).toBe(steps);
    expect(working.indexOf(3)).toBeGreaterThan(working.lastIndexOf(4)); // full until none is waiting
    expect(await generate(decoder, prompts, { ...options, batchSize: 1 })).toEqual(rows);
    decoder.dispose();
  });

  test("never begins with forbidden ids, and may use them later", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const options = { maxNewTokens: 14, stop: [] };
    const free = await generate(decoder, prompts, options);
    const forbidFirst = free.map(({ ids }) => [ids[0]!]);
    const bound = await generate(decoder, prompts, { ...options, forbidFirst });
    bound.forEach(({ ids }, i) => expect(ids[0]).not.toBe(free[i]!.ids[0]));
    const drawn = { ...options, temperature: 5, samples: 40, maxNewTokens: 2 };
    const bounded = await generate(decoder, [prompts[0]!], { ...drawn, forbidFirst: [[8, 9, 10, 11]] });
    expect(bounded.filter(({ ids }) => ids[0]! >= 8 && ids[0]! <= 11)).toEqual([]);
    expect(bounded.filter(({ ids }) => ids[1]! >= 8 && ids[1]! <= 11).length).toBeGreaterThan(0);
    decoder.dispose();
  });

  test("tells how far it is and how fast, and is ended by what is thrown then", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const before = tf.memory().numTensors;
    const told: [number, number, GenerationPace][] = [];
    const onProgress: GenerateOptions["onProgress"] = (...report) => void told.push(report);
    const rows = await generate(decoder, prompts, { ...sampled, samples: 2, onProgress });
    const [done, all, pace] = told.at(-1)!;
    expect([done, all]).toEqual([rows.length, 2 * prompts.length]);
    expect(pace.promptTokens).toBe(prompts.flat().length);
    expect(pace.newTokens).toBe(rows.flatMap(({ ids }) => ids).length);
    expect(pace.seconds).toBeGreaterThan(0);
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b));
    let steps = 0;
    const interrupt = (): void => {
      if (++steps === 6) throw new Error("enough");
    };
    await expect(generate(decoder, prompts, { ...sampled, onProgress: interrupt })).rejects.toThrow("enough");
    expect(steps).toBe(6);
    expect(tf.memory().numTensors).toBe(before);
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
    const longest = Math.max(...expected.map((ids) => ids.length));
    // as many rows as are still at work
    const atWork = (step: number): number => expected.filter((ids) => ids.length > step).length;
    expect(tokens).toEqual([
      prompts.flat().length,
      ...Array.from({ length: longest - 1 }, (_, step) => atWork(step + 1)),
    ]);
    decoder.dispose();
  });

  test("ends where the model's context ends", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const prompt = Array.from({ length: 250 }, (_, i) => 8 + (i % 40));
    const [row] = await generate(decoder, [prompt], { maxNewTokens: 20, stop: [] });
    expect(row).toMatchObject({ finished: false });
    expect(row!.ids.length).toBe(6); // 256 positions
    decoder.dispose();
  });

  test("does nothing for no prompts and for no tokens", async () => {
    const decoder = await openDecoder("tied", "cpu");
    expect(await generate(decoder, [], { maxNewTokens: 3 })).toEqual([]);
    expect(await generate(decoder, [[1]], { maxNewTokens: 0 })).toEqual([{ ids: [], finished: false }]);
    decoder.dispose();
  });

  test("refuses prompts and options that make no sense", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const run = (prompt: number[], options: object) => generate(decoder, [prompt], { maxNewTokens: 1, ...options });
    await expect(run([], {})).rejects.toThrow(userError("empty-prompt", "prompt 0"));
    await expect(run(new Array<number>(256).fill(1), {})).rejects.toThrow(userError("too-long", /^prompt 0: .* 256\n/));
    await expect(run([1], { temperature: -1 })).rejects.toThrow(userError("invalid-option", "temperature"));
    await expect(run([1], { temperature: 1, topP: 0 })).rejects.toThrow(userError("invalid-option", "topP"));
    await expect(run([1], { temperature: 1, topK: 1.5 })).rejects.toThrow(userError("invalid-option", "topK"));
    await expect(run([1], { maxNewTokens: NaN })).rejects.toThrow(userError("invalid-option", "maxNewTokens"));
    await expect(run([1], { batchSize: 0 })).rejects.toThrow(userError("invalid-option", "batchSize"));
    await expect(run([1], { samples: 0 })).rejects.toThrow(userError("invalid-option", "samples"));
    await expect(run([1], { rowIds: [1, 2] })).rejects.toThrow(userError("invalid-option", "rowIds must be 1"));
    await expect(run([1], { forbidFirst: [[-1]] })).rejects.toThrow(
      userError("invalid-option", "ids of the vocabulary"),
    );
    await expect(run([1], { forbidFirst: [] })).rejects.toThrow(
      userError("invalid-option", "forbidFirst must be 1 lists"),
    );
    decoder.dispose();
  });

  test("leaves no tensor behind, also when it fails", async () => {
    const decoder = await openDecoder("tied", "cpu");
    const before = tf.memory().numTensors;
    await generate(decoder, prompts, { maxNewTokens: 20, temperature: 1 });
    expect(tf.memory().numTensors).toBe(before);
    decoder.finalNorm.gain.assign(tf.tidy(() => tf.fill([16], NaN)));
    await expect(generate(decoder, prompts, { maxNewTokens: 3 })).rejects.toThrow(userError("not-finite", "token 0"));
    expect(tf.memory().numTensors).toBe(before + 1); // the NaNs that were assigned above
    decoder.dispose();
  });
});
