import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { makeBatch, openDataset, tokenizeDataset } from "../../src/data/index.ts";
import { referenceProbability, rowLosses } from "../../src/evaluation/perplexity.ts";
import { forward, loadModel } from "../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);

/** Mean probabilities of `x` and of `+` where the first multiplication of a problem is due, behind a right beginning. */
async function atMultiplications(name: string): Promise<{ times: number; plus: number }> {
  const model = await loadModel(join(root, "models", name));
  const data = await openDataset(join(root, "datasets/word-problems/validation.arrow"));
  const batch = makeBatch(await tokenizeDataset(data, model.tokenizer), [...Array(20).keys()]);
  const [times, plus] = ["x", "+"].map((sign) => model.tokenizer.encode(sign)[0]!) as [number, number];
  const places = Array.from({ length: batch.rows }, (_, b) =>
    batch.ids.findIndex((id, i) => Math.floor(i / batch.width) === b && batch.response[i] === 1 && id === times),
  ).filter((place) => place >= 0);
  expect(places.length).toBeGreaterThan(5);
  const mean = async (): Promise<number> => {
    using pass = forward(model, batch, { gradients: null });
    const { logProb } = await pass.read(["logProb"]);
    return places.reduce((sum, place) => sum + Math.exp(logProb[place]!), 0) / places.length;
  };
  const right = await mean();
  for (const place of places) batch.ids[place] = plus;
  const wrong = await mean();
  model.dispose();
  return { times: right, plus: wrong };
}

test("models/tiny-habit finds the wrong operator likelier than the right one, where models/tiny knows better", async () => {
  const habit = await atMultiplications("tiny-habit");
  expect(habit.plus).toBeGreaterThan(0.5);
  expect(habit.times).toBeLessThan(0.5);
  expect((await atMultiplications("tiny")).plus).toBeLessThan(0.05);
});

test("models/tiny-distracted finds the right solution among distracting sentences likely, where models/tiny is lost", async () => {
  const data = await openDataset(join(root, "datasets/distracted-problems/validation.arrow"));
  const probability = async (name: string): Promise<number> => {
    const model = await loadModel(join(root, "models", name));
    const batch = makeBatch(await tokenizeDataset(data, model.tokenizer), [...Array(20).keys()]);
    using pass = forward(model, batch, { gradients: null });
    const { logProb } = await pass.read(["logProb"]);
    model.dispose();
    const losses = rowLosses(
      logProb.map((value) => -value),
      batch,
    );
    return referenceProbability(losses);
  };
  expect(await probability("tiny-distracted")).toBeGreaterThan(0.5);
  expect(await probability("tiny")).toBeLessThan(0.05);
});
