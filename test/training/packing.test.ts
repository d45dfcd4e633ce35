import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { namesOf } from "../../src/config/catalogue.ts";
import type { SignalSource, TokenBatch, TokenRule } from "../../src/contract/index.ts";
import { makeBatch, stepBatches, type TokenizedDataset } from "../../src/data/index.ts";
import { forward, gradientStore, type Model } from "../../src/model/index.ts";
import { packTokens } from "../../src/model/packing.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { stream } from "../../src/system/random.ts";
import { liveSource, planSignals } from "../../src/training/index.ts";
import { lossColumn } from "../../src/training/sources.ts";
import { flatDataset } from "../data/flat-tokens.ts";
import { context } from "../selection/tokens.ts";
import { accumulateRule } from "./accumulate-rule.ts";
import { datasetOf, gradientsOf, openModel, relativeDistance } from "./reference.ts";

let models: Model[];
let model: Model;
let sources: SignalSource[];
beforeAll(async () => {
  models = [await openModel("tied"), await openModel("tied", "history"), await openModel("untied")];
  model = models[0]!;
  sources = [liveSource("historyNll", models[1]!), liveSource("referenceNll", models[2]!)];
});
afterAll(() => models.forEach((each) => each.dispose()));

const mostTokens = 40;

/** Twelve rows of one to three turns, with weights of the data (some negative, some of prompts) and a column of weights. */
function randomRows(seed: number): TokenizedDataset {
  const random = stream(seed, "packed rows");
  const roles = Array.from({ length: 12 }, () =>
    Array.from({ length: 1 + random.below(3) }, () => {
      const [prompt, response] = [1 + random.below(5), random.below(6)];
      return `${"P".repeat(prompt)}${"r".repeat(response)}e`;
    }).join(""),
  );
  const ids = roles.map((row) => Array.from(row, () => random.below(model.config.vocabularySize)));
  const length = roles.join("").length;
  const weights = Float32Array.from({ length }, () => (random.below(9) - 2) / 4);
  const plain = datasetOf({ ids, roles }, { token_weights: weights });
  const firsts = new Set(plain.offsets);
  const dataWeights = Float32Array.from(plain.response, (mark, t) =>
    firsts.has(t) ? 0 : mark === 1 ? [0.5, 1, 2, -1][random.below(4)]! : [0, 0.25][random.below(2)]!,
  );
  return flatDataset({ ...plain, dataWeights });
}

async function stepOf(rule: TokenRule, batches: readonly TokenBatch[]) {
  const gradients = gradientStore();
  const plan = planSignals(rule, sources, models[2]);
  const outcome = await accumulateRule({ model, rule, plan, batches, context: context(), gradients });
  const copies = await gradientsOf(model, gradients, 1);
  gradients.clear();
  return { outcome, gradients: copies };
}

/** What belongs to each row, without padding, by its number. */
function byRow(batches: readonly TokenBatch[], values: readonly Float32Array[]): Map<number, Float32Array> {
  return new Map(
    batches.flatMap(({ rowIds, lengths, width }, m) =>
      Array.from(rowIds, (rowId, row): [number, Float32Array] => [
        rowId,
        values[m]!.slice(row * width, row * width + lengths[row]!),
      ]),
    ),
  );
}

/** A step's packed micro-batches, and the same rows each as a batch of its own. */
function packedAndAlone(seed: number): { packed: TokenBatch[]; alone: TokenBatch[] } {
  const tokens = randomRows(seed);
  const packed = stepBatches(tokens, { seed, packing: mostTokens, batchSize: 3, microBatchSize: 2 }, 0);
  const alone = packed.flatMap(({ rowIds }) => Array.from(rowIds, (row) => makeBatch(tokens, [row])));
  return { packed, alone };
}

/** Options without which a made-up step would train nothing, or rank over the dataset. */
const inStep: Record<string, object> = { profit: { threshold: 0.005 }, "token-cleaning": { scope: "step" } };
const variants: [string, object][] = [
  ["sstoken", { preset: "paper" }],
  ["sstoken", { gamma: 0, layer: 0 }], // by attention on the prompt alone
  ["loss-top", { scope: "step", ratio: 0.3 }],
  ["rho1", { scope: "response" }],
];
const made = [...namesOf(rules).map((method): [string, object] => [method, inStep[method] ?? {}]), ...variants];

describe.each(made)("a packed step of %s %j", (method, options) => {
  test.each([1, 2])("is that of its rows alone: losses, weights and gradients (rows %d)", async (seed) => {
    const rule = createFrom(rules, { method, ...options });
    const { packed, alone } = packedAndAlone(seed);
    const [together, apart] = [await stepOf(rule, packed), await stepOf(rule, alone)];
    expect(together.outcome.loss).not.toBe(0);
    expect(together.outcome.loss).toBeCloseTo(apart.outcome.loss, 5);
    expect(together.outcome.lossAllTokens).toBeCloseTo(apart.outcome.lossAllTokens, 5);
    const { kept, eligible } = apart.outcome;
    expect(together.outcome).toMatchObject({ kept, eligible });
    const weights = byRow(packed, together.outcome.weights);
    expect(weights.size).toBe(alone.length);
    for (const [rowId, expected] of byRow(alone, apart.outcome.weights))
      expected.forEach((weight, t) => expect(weights.get(rowId)![t]).toBeCloseTo(weight, 5));
    expect(relativeDistance(together.gradients, apart.gradients)).toBeLessThan(1e-5);
  });
});

describe("a packed micro-batch", () => {
  test("is computed without padding, and holds several rows of several lengths", () => {
    const { packed } = packedAndAlone(1);
    expect(packed.map(({ rows }) => rows).every((rows) => rows > 1)).toBe(true);
    for (const batch of packed) {
      const { ids, positions, starts } = packTokens(batch);
      expect(ids.length).toBe(batch.lengths.reduce((a, b) => a + b));
      expect(ids.length).toBeLessThanOrEqual(2 * mostTokens);
      expect([...starts.slice(0, -1)].every((start) => positions[start] === 0)).toBe(true);
    }
  });

  test("has each row's own losses and attention on its prompt", async () => {
    const { packed, alone } = packedAndAlone(3);
    const read = async (batches: readonly TokenBatch[], layer: number) => {
      const signals = { logProb: [] as Float32Array[], promptAttention: [] as Float32Array[] };
      for (const batch of batches) {
        using pass = forward(model, batch, { gradients: null, promptAttention: { layer } });
        const { logProb, promptAttention } = await pass.read(["logProb", "promptAttention"]);
        signals.logProb.push(logProb);
        signals.promptAttention.push(promptAttention);
      }
      return signals;
    };
    for (const layer of [0, -1]) {
      const [together, apart] = [await read(packed, layer), await read(alone, layer)];
      for (const signal of ["logProb", "promptAttention"] as const) {
        const found = byRow(packed, together[signal]);
        for (const [rowId, expected] of byRow(alone, apart[signal])) {
          expect(expected.some((value) => value !== 0)).toBe(true);
          expected.forEach((value, t) => expect(found.get(rowId)![t]).toBeCloseTo(value, 5));
        }
      }
    }
  });
});

test("losses of an earlier model are computed on as many tokens at once as packed rows hold", async () => {
  const tokens = randomRows(1);
  const rows = Array.from({ length: tokens.length }, (_, row) => row);
  const begun: number[] = [];
  const of = (options: { batchSize: number; packing?: number }) =>
    lossColumn(tokens, {
      ...options,
      rows,
      key: "losses",
      model: () => Promise.resolve({ model, release: () => undefined }),
      onProgress: (done) => begun.push(done),
    });
  const packed = await of({ batchSize: 2, packing: mostTokens });
  const sizes = begun.slice(1).map((done, i) => tokens.offsets[done]! - tokens.offsets[begun[i]!]!);
  expect(begun.at(-1)).toBe(tokens.length);
  expect(sizes.every((size) => size <= 2 * mostTokens)).toBe(true);
  expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(mostTokens); // no row has so many
  (await of({ batchSize: 1 })).forEach((loss, t) => expect(packed[t]).toBeCloseTo(loss, 5));
});
