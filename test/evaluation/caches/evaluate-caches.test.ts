import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { comparedCandidates } from "../../../src/evaluation/caches/candidates.ts";
import { evaluateCaches, type EvaluateCachesOptions } from "../../../src/evaluation/caches/evaluate-caches.ts";
import {
  evictionOf,
  type CacheCandidate,
  type CacheOutcome,
  type CacheProblem,
} from "../../../src/evaluation/caches/problem.ts";
import { futureWorth } from "../../../src/eviction/cache/future.ts";
import { gateEviction, raggedCache } from "../../../src/eviction/cache/index.ts";
import { rankByScore } from "../../../src/eviction/cache/rankings.ts";
import { createGates } from "../../../src/eviction/gates/index.ts";
import { keyDiff } from "../../../src/eviction/scores/key-diff.ts";
import { snapKv } from "../../../src/eviction/scores/snap-kv.ts";
import { forward, generate, loadModel, type Model } from "../../../src/model/index.ts";
import { stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { userError } from "../../user-error.ts";

let model: Model;
beforeAll(async () => {
  await useEngine("cpu", { threads: 1 });
  model = await loadModel(join(import.meta.dirname, "../../../models/tiny"));
});
afterAll(() => {
  model.dispose();
  releaseEngine();
});

const ids = (name: string, count: number): number[] => {
  const random = stream("caches", name);
  return Array.from({ length: count }, () => 4 + random.below(200));
};
const problem = (row: number, more: Partial<CacheProblem> = {}): CacheProblem => ({
  ...{ row, context: ids(`context ${row}`, 30 + row), reference: ids(`reference ${row}`, 6) },
  ...more,
});

/** Of each candidate, of each problem. */
async function outcomesOf(
  problems: readonly CacheProblem[],
  candidates: readonly CacheCandidate[],
  options: Partial<EvaluateCachesOptions> = {},
): Promise<CacheOutcome[][]> {
  const found = candidates.map((): CacheOutcome[] => []);
  const before = tf.memory().numTensors;
  await evaluateCaches(model, problems, candidates, {
    ...{ force: true, errors: true, ...options },
    onOutcome: (c, p, outcome) => void (found[c]![p] = outcome),
  });
  expect(tf.memory().numTensors).toBe(before);
  return found;
}

const compared = (keep: number[], seeds = [0]) =>
  comparedCandidates(model, {
    ...{ keep, sinks: 1, recent: 3, seeds },
    scores: [snapKv({ window: 4 }), keyDiff()].map((score) => rankByScore(model, score)),
  });

/** All but the time that choosing took. */
const known = ({ milliseconds: _, ...rest }: CacheOutcome) => rest;

describe("outcomes over caches", () => {
  test("of a method that keeps everything are those of all entries, exactly, and these are the model's own", async () => {
    const problems = [problem(0), problem(1)];
    const [full, ...others] = await outcomesOf(problems, compared([1]), { maxNewTokens: 3 });
    for (const each of others) expect(each.map(known)).toEqual(full!.map(known));
    for (const [p, { context, reference }] of problems.entries()) {
      const { errors, answer, reference: forced } = full![p]!;
      expect(errors!.every((error) => error === 0)).toBe(true);
      expect([answer]).toEqual(await generate(model, [context], { maxNewTokens: 3 }));
      const row = Int32Array.from([...context, ...reference!]);
      const batch = {
        ...{ rows: 1, width: row.length, rowIds: Float64Array.of(0), ids: row, lengths: Int32Array.of(row.length) },
        ...{ response: new Uint8Array(row.length).fill(1, context.length), endOfTurn: new Uint8Array(row.length) },
        columns: {},
      };
      using pass = forward(model, batch, { gradients: null });
      const { logProb } = await pass.read(["logProb"]);
      forced!.forEach((token, t) => expect(token.logProb).toBeCloseTo(logProb[context.length + t]!, 4));
    }
  });

  test("are those of a cache of its own, and depend on no neighbour", async () => {
    const problems = [problem(0), problem(9)];
    const gates = await createGates(model, { kind: "linear", initialKeep: 0.51 });
    const hiding: CacheCandidate = {
      name: "gates",
      eviction: gateEviction(model, gates, { sinks: 1, window: 3, threshold: 0.51 }),
    };
    const own = compared([0.4]).filter(({ name }) => name === "random" || name === "snap-kv");
    const candidates = [...own, hiding];
    const together = await outcomesOf(problems, candidates, { maxNewTokens: 3 });
    const alone = await outcomesOf(problems, candidates, { maxNewTokens: 3, batchSize: 1 });
    expect(alone.map((each) => each.map(known))).toEqual(together.map((each) => each.map(known)));
    for (const [c, candidate] of candidates.entries()) {
      if (candidate.name === "random") continue; // a cache of its own does not know a prompt's number
      const kept: Uint8Array[][] = [];
      const cache = raggedCache(evictionOf(model, candidate), { onEvicted: (keep) => kept.push([...keep]) });
      const answers = await generate(
        model,
        problems.map(({ context }) => context),
        { maxNewTokens: 3, cache },
      );
      expect(together[c]!.map(({ answer }) => answer)).toEqual(answers);
      expect(together[c]!.map(({ keep }) => keep)).toEqual(kept);
    }
    expect(together.at(-1)!.some(({ keep }) => keep.some((flags) => flags.includes(0)))).toBe(true);
    gates.dispose();
  });

  test("of random entries follow from the seed, and differ from layer to layer and prompt to prompt", async () => {
    const keepOf = async (seeds: number[]) => {
      const problems = [problem(0), { ...problem(0), row: 7 }];
      const candidates = compared([0.4], seeds).filter(({ role }) => role === "random");
      return (await outcomesOf(problems, candidates, { force: false, errors: false })).map((each) =>
        each.map(({ keep }) => keep),
      );
    };
    const [first, second] = await keepOf([3, 4]);
    expect(await keepOf([3])).toEqual([first]);
    expect(first).not.toEqual(second);
    expect(first![0]).not.toEqual(first![1]);
    expect(first![0]![0]).not.toEqual(first![0]![1]);
    for (const flags of first![0]!) expect(flags.reduce((a, b) => a + b)).toBe(12 * model.config.keyValueHeads);
  });

  test("blind, do not depend on the question in what is kept; else they do", async () => {
    const [one, other] = ["one", "other"].map((name) => ids(name, 6));
    const context = ids("text", 40);
    const methods = compared([0.4]).filter(({ role }) => role !== "future");
    const keeps = async (problems: CacheProblem[]) =>
      (await outcomesOf(problems, methods)).map((each) => each.map(({ keep }) => keep));
    const blind = await keeps([one, other].map((question) => problem(0, { context, question: question! })));
    for (const [first, second] of blind) expect(first).toEqual(second);
    const open = await keeps([one, other].map((question) => problem(0, { context: [...context, ...question!] })));
    const snap = methods.findIndex(({ name }) => name === "snap-kv");
    expect(open[snap]![0]).not.toEqual(open[snap]![1]);
  });

  test("blind, with everything kept are those of the whole prompt", async () => {
    const question = ids("question", 5);
    const blind = problem(2, { question });
    const whole = problem(2, { context: [...blind.context, ...question] });
    const full = compared([1]).slice(0, 1);
    const [[a], [b]] = [
      (await outcomesOf([blind], full, { maxNewTokens: 4 }))[0]!,
      (await outcomesOf([whole], full, { maxNewTokens: 4 }))[0]!,
    ];
    expect(a!.answer).toEqual(b!.answer);
    a!.reference!.forEach(({ logProb }, t) => expect(logProb).toBeCloseTo(b!.reference![t]!.logProb, 4));
  });

  test("of the future are nearer to those of all entries than those of random ones", async () => {
    const candidates = compared([0.4]).filter(({ role }) => role === "future" || role === "random");
    const found = await outcomesOf([problem(0), problem(1), problem(2)], candidates);
    const [random, future] = found.map((each) => each.flatMap(({ errors }) => errors!).reduce((a, b) => a + b));
    expect(future!).toBeLessThan(0.9 * random!);
  });

  test("refuse a prompt that leaves no room, by its row", async () => {
    const long = problem(3, { context: ids("long", model.config.maxPositions - 2) });
    await expect(outcomesOf([long], compared([0.5]))).rejects.toThrow(userError("too-long", "row 3"));
  });
});

test("what an entry is worth to what follows: the largest weight that it is given, times the length of its value", async () => {
  const config = { ...model.config, heads: 1, keyValueHeads: 1, headSize: 1 };
  const column = (...values: number[]): tf.Tensor2D => tf.tensor2d(values, [values.length, 1]);
  const prompt = { k: column(Math.log(2), 0), v: column(3, -5) };
  const following = { q: column(1, 0), k: column(0, Math.log(4)) };
  const worth = futureWorth(config, 0, prompt, following);
  // the first of them weighs the keys 2 1 1, the second 1 1 1 1
  (await worth.data()).forEach((value, i) => expect(value).toBeCloseTo([(2 / 4) * 3, (1 / 4) * 5][i]!, 5));
  tf.dispose([worth, prompt, following]);
});
