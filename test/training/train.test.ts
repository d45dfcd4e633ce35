import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { SignalSource, TokenRule } from "../../src/contract/index.ts";
import type { TokenizedDataset } from "../../src/data/index.ts";
import { createAdapter, withAdapter, type Model } from "../../src/model/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import { full } from "../../src/selection/full.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { random } from "../../src/selection/random.ts";
import { rho1 } from "../../src/selection/rho1.ts";
import { tokenCleaning } from "../../src/selection/token-cleaning.ts";
import { afterWarmup } from "../../src/selection/after-warmup.ts";
import {
  columnSource,
  liveSource,
  newTrainingState,
  schedule,
  train,
  type StepRecord,
  type TrainOptions,
} from "../../src/training/index.ts";
import { movingAverageSource, snapshotSource } from "../../src/training/earlier-state.ts";
import { lossColumn } from "../../src/training/sources.ts";
import { userError } from "../user-error.ts";
import { collect, withState } from "./fresh-state.ts";
import { datasetOf, openModel, readJson, tensorCount, weightsOf, type Rows } from "./reference.ts";

interface Run extends Rows {
  run: {
    steps: number;
    batchSize: number;
    learningRate: number;
    warmupSteps: number;
    weightDecay: number;
    clipNorm: number;
    beta1: number;
    beta2: number;
    epsilon: number;
  };
  records: (Record<string, number> & { loss: number })[];
  weights: Record<string, [sum: number, norm: number]>;
}

const reference = readJson<Run>("training.json");
const tokens = datasetOf(reference);
const constant = schedule({ kind: "constant", learningRate: 0.01, totalSteps: 1 });
const plain = { tokens, steps: 5, batchSize: 4, schedule: constant, seed: 1 };

let base: Model;
beforeAll(async () => {
  base = await openModel("tied");
});
afterAll(() => base.dispose());

const everyRow = [...reference.ids.keys()];
const baseLosses = (of: TokenizedDataset = tokens): Promise<Float32Array> =>
  lossColumn(of, {
    rows: everyRow,
    key: "base",
    batchSize: 4,
    model: () => Promise.resolve({ model: base, release: () => undefined }),
  });
describe("twenty steps with ssToken, AdamW, weight decay, clipping, warm-up and cosine", () => {
  const { run, records, weights } = reference;

  test.each([4, 2, 1, 3])("are PyTorch's, with %s rows at once", async (microBatchSize) => {
    const { beta1, beta2, epsilon, weightDecay } = run;
    const sources = [columnSource("historyNll", tokens, await baseLosses())];
    const options: TrainOptions = {
      tokens,
      rule: ssToken({ preset: "recommended", minimumRange: 0.02 }),
      steps: run.steps,
      batchSize: run.batchSize,
      microBatchSize,
      schedule: schedule({ kind: "cosine", totalSteps: run.steps, ...run }),
      clipNorm: run.clipNorm,
      seed: 1,
      shuffle: false,
    };
    await withState(
      tokens,
      async (state) => {
        const own = await collect(state, options);
        expect(own).toHaveLength(run.steps);
        for (const [i, expected] of records.entries()) {
          for (const [name, value] of Object.entries(expected))
            expect([name, i, Math.abs(own[i]![name]! - value) < 1e-4 * Math.max(1, value)]).toEqual([name, i, true]);
          expect(own[i]).toMatchObject({ step: i + 1, samplesSeen: 4 * (i + 1), epoch: (4 * (i + 1)) / 10 });
        }
        expect(own.at(-1)!.trainedTokens).toBe(records.reduce((sum, record) => sum + record["keptTokens"]!, 0));
        for (const { name, variable } of state.model.parameters) {
          const values = await variable.data<"float32">();
          const [sum, norm] = weights[name]!;
          const tolerance = 1e-4 * Math.sqrt(values.length);
          expect(Math.abs(values.reduce((a, b) => a + b, 0) - sum)).toBeLessThan(tolerance);
          expect(Math.abs(Math.hypot(...values) - norm)).toBeLessThan(tolerance);
        }
      },
      { optimizer: { beta1, beta2, epsilon, weightDecay }, sources },
    );
  });
});

describe("a step in which nothing is kept", () => {
  test("leaves weights and moments alone, and says so in numbers", async () => {
    const rule: TokenRule = {
      ...full(),
      // rows 4 to 7, which are those of the second step
      weigh: ({ rows, width, rowIds, response }) =>
        Float32Array.from({ length: rows * width }, (_, i) => {
          const row = rowIds[Math.floor(i / width)]!;
          return row >= 4 && row < 8 ? 0 : response[i]!;
        }),
    };
    await withState(tokens, async (state) => {
      const after: Record<string, Buffer>[] = [];
      const records: StepRecord[] = [];
      for await (const record of train(state, { ...plain, rule, steps: 3, shuffle: false })) {
        records.push(record);
        after.push(await weightsOf(state.model));
        expect(Object.values(record).every(Number.isFinite)).toBe(true);
      }
      expect(records[1]).toMatchObject({
        loss: 0,
        keptShare: 0,
        keptTokens: 0,
        gradNorm: 0,
        weightSum: 0,
        samplesSeen: 8,
      });
      expect(records[1]!.lossAllTokens).toBeGreaterThan(0);
      expect(records[1]!.trainedTokens).toBe(records[0]!.trainedTokens);
      expect(after[1]).toEqual(after[0]);
      expect(after[2]).not.toEqual(after[1]);
      expect(state.optimizer.updates).toBe(2);
    });
  });
});

describe("train", () => {
  test("is left and entered again without a trace", async () => {
    const options = { ...plain, rule: random() };
    const whole = await withState(tokens, (state) => collect(state, options));
    const pieces = await withState(tokens, async (state) => {
      const records: StepRecord[] = [];
      while (state.step < 5) {
        for await (const record of train(state, options)) {
          records.push(record);
          if (record.step % 2 === 0) break;
        }
      }
      return records;
    });
    expect(pieces).toEqual(whole);
  });

  test("yields nothing when the run is over", async () => {
    await withState(tokens, async (state) => {
      await collect(state, { ...plain, rule: full() });
      expect(await collect(state, { ...plain, rule: full() })).toEqual([]);
    });
  });

  test("clips: the update of a clipped step is that of a gradient of norm clipNorm", async () => {
    // Adam's first update hardly depends on the gradient's size, so compare the first moments
    const moments = async (clipNorm: number): Promise<[record: StepRecord, norm: number]> =>
      withState(tokens, async (state) => {
        const [record] = await collect(state, { ...plain, rule: full(), steps: 1, clipNorm });
        let squares = 0;
        for (const { m } of state.optimizer.moments().values())
          (await m.data<"float32">()).forEach((x) => (squares += x * x));
        return [record!, Math.sqrt(squares) / 0.1];
      });
    const [free, freeNorm] = await moments(0);
    const [clipped, clippedNorm] = await moments(0.25);
    expect(free.gradNorm).toBeGreaterThan(1);
    expect(clipped.gradNorm).toBe(free.gradNorm);
    expect(Math.abs(freeNorm / free.gradNorm - 1)).toBeLessThan(1e-5);
    expect(Math.abs(clippedNorm - 0.25)).toBeLessThan(1e-5);
  });

  test("refuses a rule whose signals nothing supplies before it does anything", async () => {
    await withState(tokens, async (state) => {
      await expect(collect(state, { ...plain, rule: ssToken() })).rejects.toThrow(
        userError("missing-signal", /sstoken.*historyNll[^]*sources: \[liveSource\("historyNll", /),
      );
      expect(state.step).toBe(0);
    });
  });
});

describe("a dozen steps hold the same tensors after each, and none when all is disposed of", () => {
  const others: [string, () => TokenRule, (model: Model) => Promise<{ source: SignalSource; free: () => void }>][] = [
    [
      "ssToken with a history column",
      () => ssToken(),
      async () => ({ source: columnSource("historyNll", tokens, await baseLosses()), free: () => undefined }),
    ],
    [
      "ssToken with a moving average",
      () => ssToken(),
      async (model) => {
        const source = await movingAverageSource(model, { decay: 0.9 });
        return { source, free: source.dispose };
      },
    ],
    [
      "rho1 with a live reference",
      () => rho1(),
      async () => {
        const other = await openModel("tied", "history");
        return { source: liveSource("referenceNll", other), free: other.dispose };
      },
    ],
  ];

  test.each(others)("%s", async (_, make, open) => {
    const before = tensorCount();
    const model = await openModel("tied");
    const { source, free } = await open(model);
    const state = newTrainingState(model, tokens, { sources: [source] });
    const counts: number[] = [];
    for await (const record of train(state, { ...plain, rule: make(), steps: 12, microBatchSize: 2 })) {
      expect(record.step).toBe(counts.length + 1);
      counts.push(tensorCount());
    }
    // inside the loop the gradients are gone and the moments are there
    expect(new Set(counts).size).toBe(1);
    free();
    state.optimizer.dispose();
    model.dispose();
    expect(tensorCount()).toBe(before);
  });

  test("also when the loop is left by an error", async () => {
    const before = tensorCount();
    await withState(tokens, async (state) => {
      const rule: TokenRule = {
        ...full(),
        weigh: ({ response }, { step }) => Float32Array.from(response, (r) => (step === 2 ? NaN : r)),
      };
      await expect(collect(state, { ...plain, rule, microBatchSize: 2 })).rejects.toThrow(
        userError("invalid-weight", "row 4, token 2"),
      );
      expect(state.step).toBe(2);
    });
    expect(tensorCount()).toBe(before);
  });
});

test("a moving average follows the model as its formula says", async () => {
  await withState(tokens, async (state) => {
    const source = await movingAverageSource(state.model, { decay: 0.75 });
    const { sources } = { sources: [source] };
    const first = state.model.parameters[0]!;
    let expected = Float64Array.from(await first.variable.data<"float32">());
    const run = newTrainingState(state.model, tokens, { sources });
    for await (const record of train(run, { ...plain, rule: ssToken() })) {
      const live = await first.variable.data<"float32">();
      expected = expected.map((mean, i) => 0.75 * mean + 0.25 * live[i]!);
      const saved = (await source.save())[first.name] as Float32Array;
      expect(saved.every((mean, i) => Math.abs(mean - expected[i]!) < 1e-6)).toBe(true);
      expect(record["relRange"]).toBeGreaterThanOrEqual(0);
    }
    run.optimizer.dispose();
    source.dispose();
  });
});

test("self-evolving: the reference is the model after the last whole part, and the first part trains every token", async () => {
  await withState(tokens, async (state) => {
    const source = await snapshotSource(state.model, { every: 2 });
    const rule = afterWarmup(tokenCleaning({ scope: "step", ratio: 0.5 }), 2);
    const base: SignalSource<"historyNll"> = {
      gives: ["historyNll"],
      compute: async ({ ids }) => ({ historyNll: Float32Array.from(ids, (id) => (id % 7) / 7) }),
      save: () => ({}),
      restore: () => undefined,
    };
    const run = newTrainingState(state.model, tokens, { sources: [source, base] });
    const first = state.model.parameters[0]!;
    let expected = Float32Array.from(await first.variable.data<"float32">());
    const shares: number[] = [];
    for await (const record of train(run, { ...plain, steps: 5, rule })) {
      if (record.step % 2 === 0) expected = Float32Array.from(await first.variable.data<"float32">());
      expect((await source.save())[first.name]).toEqual(expected);
      shares.push(record.keptShare);
    }
    expect(shares.slice(0, 2)).toEqual([1, 1]);
    for (const share of shares.slice(2)) expect(Math.abs(share - 0.5)).toBeLessThan(0.1);
    run.optimizer.dispose();
    source.dispose();
  });
});

test("an adapter's dropout is the same however the step is split, while the rule scores and while it trains", async () => {
  const losses = async (microBatchSize: number): Promise<number[][]> => {
    const trunk = await openModel("tied");
    const model = withAdapter(trunk, await createAdapter(trunk, { rank: 2, dropout: 0.3, seed: 5 }));
    const state = newTrainingState(model, tokens);
    const rule = lossTop({ ratio: 0.5 });
    const records = await collect(state, { ...plain, rule, steps: 3, microBatchSize });
    [state.optimizer, model, trunk].forEach((each) => each.dispose());
    return records.map(({ loss, gradNorm, keptTokens }) => [loss, gradNorm, keptTokens]);
  };
  const whole = await losses(4);
  for (const size of [2, 1])
    for (const [i, record] of (await losses(size)).entries())
      record.forEach((value, k) => expect(Math.abs(value / whole[i]![k]! - 1)).toBeLessThan(1e-5));
});
