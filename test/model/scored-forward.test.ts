import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { gradientStore } from "../../src/model/index.ts";
import { createScoreHead } from "../../src/model/score-head.ts";
import { scoredForward } from "../../src/model/scored-forward.ts";
import { gradientsOf, openAdapted, readOreal, storedGradients } from "../reward/oreal-fixture.ts";
import { relativeDistance } from "../training/reference.ts";
import { distance, enginesHere, openDecoder, readReference, referenceBatch } from "./reference.ts";

type Scored = Record<"tied" | "untied", { head: number[]; weights: number[][]; scores: number[][] }>;
const fixture = readOreal<Scored>("scored.json");

/** Each row padded to the batch's width. */
function flat(rows: readonly (readonly number[])[], width: number): Float32Array {
  return Float32Array.from(rows.flatMap((row) => Array.from({ length: width }, (_, t) => row[t] ?? 0)));
}

const everyCase = enginesHere().flatMap((engine) => [
  { engine, name: "tied" as const, what: "adapter" },
  { engine, name: "untied" as const, what: "decoder" },
]);

describe.each(everyCase)("a score head on the $name model on the $engine engine", ({ engine, name, what }) => {
  const { head: values, weights, scores } = fixture[name];
  const batch = referenceBatch(readReference(name));
  const open = () => (what === "adapter" ? openAdapted(name, engine) : openDecoder(name, engine));

  test(`gives PyTorch's score of every state, and the gradient on head and ${what}`, async () => {
    const model = await open();
    const head = createScoreHead(model, Float32Array.from(values));
    const gradients = gradientStore();
    const before = tf.memory().numTensors;
    {
      using pass = scoredForward(model, head, batch, { gradients });
      const { score } = await pass.read(["score"]);
      expect(distance(score, flat(scores, batch.width))).toBeLessThan(1e-5);
      pass.backward({ score: flat(weights, batch.width) });
    }
    const expected = await gradientsOf(`scored-${name}.safetensors`);
    const inPass = [...model.parameters, head.parameter].filter(({ name }) => name !== "lm_head.weight");
    const actual = await storedGradients(inPass, gradients);
    expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
    expect(relativeDistance(actual, expected)).toBeLessThan(1e-5);
    gradients.clear();
    expect(tf.memory().numTensors).toBe(before);
    head.dispose();
    model.dispose();
  });

  test("scores a row alone as it does inside a batch, with or without a second phase to come", async () => {
    const model = await open();
    const head = createScoreHead(model, Float32Array.from(values));
    const before = tf.memory().numTensors;
    {
      using scoring = scoredForward(model, head, batch, { gradients: null });
      using training = scoredForward(model, head, batch, { gradients: gradientStore() });
      const { score } = await scoring.read(["score"]);
      expect((await training.read(["score"])).score).toEqual(score);
      for (const row of weights.keys()) {
        const single = referenceBatch(readReference(name), [row]);
        using alone = scoredForward(model, head, single, { gradients: null });
        const inBatch = score.subarray(row * batch.width, row * batch.width + single.width);
        expect(distance((await alone.read(["score"])).score, inBatch)).toBeLessThan(1e-5);
      }
    }
    expect(tf.memory().numTensors).toBe(before);
    head.dispose();
    model.dispose();
  });
});

describe("a scored pass", () => {
  const batch = referenceBatch(readReference("tied"));

  test("of a fresh head gives 0 everywhere, and its gradient reaches the head alone", async () => {
    const model = await openDecoder("tied");
    const head = createScoreHead(model);
    const gradients = gradientStore();
    using pass = scoredForward(model, head, batch, { gradients });
    const { score } = await pass.read(["score"]);
    expect(score.every((value) => value === 0)).toBe(true);
    pass.backward({ score: flat(fixture.tied.weights, batch.width) });
    const found = await storedGradients([...model.parameters, head.parameter], gradients);
    const moved = [...found].filter(([, values]) => values.some((value) => value !== 0)).map(([name]) => name);
    expect(moved).toEqual(["score.weight"]);
  });

  test("does not compute what it was not asked for, and refuses a gradient that leads nowhere", async () => {
    const model = await openDecoder("tied");
    const head = createScoreHead(model);
    const size = batch.rows * batch.width;
    const pass = () => scoredForward(model, head, batch, { gradients: gradientStore() });
    await expect(pass().read(["logProb"])).rejects.toThrow(/not asked to compute logProb/);
    expect(() => pass().backward({ logProb: new Float32Array(size) })).toThrow(/not asked to compute logProb/);
    expect(() => pass().backward({ score: new Float32Array(size).fill(1) })).toThrow(/padding token/);
    expect(() => pass().backward({ score: new Float32Array(size).fill(NaN, 0, 1) })).toThrow(/entry 0 is NaN/);
    expect(() => scoredForward(model, head, batch, { gradients: null }).backward({})).toThrow(/without gradients/);
    using once = pass();
    once.backward({});
    expect(() => once.backward({})).toThrow(/may be called once/);
  });
});
