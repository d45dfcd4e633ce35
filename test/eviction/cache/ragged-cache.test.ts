import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { gateEviction, raggedCache, scoreEviction, type PrefillEviction } from "../../../src/eviction/cache/index.ts";
import { keepEverything } from "../../../src/eviction/cache/evictions.ts";
import type { RaggedCache } from "../../../src/eviction/cache/ragged-cache.ts";
import type { GateNetwork } from "../../../src/eviction/gates/index.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import { rankByScore } from "../../../src/eviction/cache/rankings.ts";
import { keepBudget, type CacheFacts, type EvictionScore } from "../../../src/eviction/index.ts";
import { a2sf } from "../../../src/eviction/scores/a2sf.ts";
import { attentionMass } from "../../../src/eviction/key-score.ts";
import { h2o } from "../../../src/eviction/scores/h2o.ts";
import { keyDiff } from "../../../src/eviction/scores/key-diff.ts";
import { keyDiffValue } from "../../../src/eviction/scores/key-diff-value.ts";
import { keyNorm } from "../../../src/eviction/scores/key-norm.ts";
import { lazyLlm } from "../../../src/eviction/scores/lazy-llm.ts";
import { mcMoe } from "../../../src/eviction/scores/mc-moe.ts";
import { observedMean } from "../../../src/eviction/scores/observed-mean.ts";
import { snapKv } from "../../../src/eviction/scores/snap-kv.ts";
import { streamingLlm } from "../../../src/eviction/scores/streaming-llm.ts";
import { vtcCls } from "../../../src/eviction/scores/vtc-cls.ts";
import { generate, loadModel, type Model } from "../../../src/model/index.ts";
import { decode } from "../../../src/model/decoder.ts";
import type { AttentionHook } from "../../../src/model/layer.ts";
import { continuation } from "../../../src/model/generation/continuation.ts";
import { valuesByRow } from "../../../src/model/generation/draws.ts";
import { normalValues, stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { attentionSums, raggedAttention, withPlainDefinitions } from "../../../src/tensor/ops/index.ts";
import { userError } from "../../user-error.ts";
import { bitsOf } from "../../model/generation/bits.ts";

let model: Model;
let gates: GateNetwork;
beforeAll(async () => {
  await useEngine("cpu", { threads: 2 });
  model = await loadModel(join(import.meta.dirname, "../../../models/tiny"));
  gates = await gatesFrom(model, { kind: "linear" }, (name, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return name.endsWith("bias") ? new Float32Array(size) : normalValues(size, 0.5, stream(name));
  });
});
afterAll(() => {
  gates.dispose();
  model.dispose();
  releaseEngine();
});

const random = stream("ragged cache");
const prompts = [30, 17, 44].map((length) => Array.from({ length }, () => 4 + random.below(240)));
const small = { sinks: 2, window: 3 };
const budget = { ratio: 0.4, ...{ sinks: 2, recent: 3 } };
const scores: EvictionScore[] = [
  streamingLlm({ sinks: 2 }),
  h2o(),
  a2sf(),
  snapKv({ window: 8 }),
  observedMean(),
  keyNorm(),
  keyDiff(),
  keyDiffValue(),
  mcMoe(),
  vtcCls(),
];

/** Attention over all tokens, key by key, hiding what is evicted: from later queries, or from those after the prompt. */
function masked(keep: readonly Uint8Array[], promptLength: number, hidesInPrompt: boolean): AttentionHook {
  const { heads, keyValueHeads, headSize: d } = model.config;
  return (layer, q, k, v) => {
    const [Q, K, V] = [q, k, v].map((x) => x.dataSync<"float32">()) as [Float32Array, Float32Array, Float32Array];
    const out = new Float32Array(Q.length);
    for (let i = 0; i < q.shape[0]; i++)
      for (let h = 0; h < heads; h++) {
        const c = Math.floor((h * keyValueHeads) / heads);
        const seen = Array.from({ length: i + 1 }, (_, j) => j).filter(
          (j) =>
            j === i || j >= promptLength || (i < promptLength && !hidesInPrompt) || keep[layer]![j * keyValueHeads + c],
        );
        const at = (j: number) => (j * keyValueHeads + c) * d;
        const e = seen.map((j) => {
          let dot = 0;
          for (let n = 0; n < d; n++) dot += Q[(i * heads + h) * d + n]! * K[at(j) + n]!;
          return Math.exp(dot / Math.sqrt(d));
        });
        const total = e.reduce((a, b) => a + b, 0);
        seen.forEach((j, s) => {
          for (let n = 0; n < d; n++) out[(i * heads + h) * d + n]! += (e[s]! / total) * V[at(j) + n]!;
        });
      }
    return tf.tensor2d(out, q.shape);
  };
}

/** The logits behind some of the tokens. */
async function maskedLogits(ids: number[], places: readonly number[], attend: AttentionHook): Promise<Float32Array[]> {
  const input = { ids: Int32Array.from(ids), positions: Int32Array.from(ids.keys()), attend };
  const logits = tf.tidy(() =>
    tf.matMul(
      decode(model, input, Int32Array.from(places)),
      model.outputEmbedding as tf.Variable<tf.Rank.R2>,
      false,
      true,
    ),
  );
  const values = await logits.data<"float32">();
  logits.dispose();
  const width = model.config.vocabularySize;
  return places.map((_, i) => values.subarray(i * width, (i + 1) * width));
}

function expectSame(found: Float32Array, expected: Float32Array): void {
  expected.forEach((logit, i) => {
    if (!(Math.abs(found[i]! - logit) < 1e-4 * Math.max(1, Math.abs(logit))))
      throw new Error(`logit ${i} is ${found[i]}, not ${logit}`);
  });
}

/** Starts all prompts, then goes on for some tokens, comparing every distribution with masked attention's. */
async function decodedLikeMasked(eviction: PrefillEviction, hidesInPrompt: boolean): Promise<Uint8Array[][]> {
  const kept: Uint8Array[][] = [];
  const cache = raggedCache(eviction, { onEvicted: (keep) => kept.push([...keep]) })(model.config, 3) as RaggedCache;
  const texts = continuation(model, cache, { read: valuesByRow, alone: false });
  const ids = prompts.map((prompt) => [...prompt]);
  const found: Float32Array[][] = [];
  for (const [row, prompt] of prompts.entries()) {
    found.push(await texts.start([{ ids: prompt, place: row, forbidden: [] }]));
  }
  let live = [0, 1, 2];
  for (let step = 0; step < 5; step++) {
    if (step === 3) {
      cache.dropRow(1);
      live = [0, 2];
    }
    live.forEach((row) => ids[row]!.push(4 + random.below(240)));
    const tokens = live.map((row) => ({ id: ids[row]!.at(-1)!, position: ids[row]!.length - 1, place: row }));
    const next = await texts.extend(tokens);
    live.forEach((row, i) => found[row]!.push(next[i]!));
  }
  for (const [row, { length }] of prompts.entries()) {
    const places = found[row]!.map((_, step) => length - 1 + step);
    const expected = await maskedLogits(ids[row]!, places, masked(kept[row]!, length, hidesInPrompt));
    found[row]!.forEach((logits, step) => expectSame(logits, expected[step]!));
  }
  cache.dispose();
  return kept;
}

describe("decoding over a ragged cache is masked full attention", () => {
  test("under gates, every layer and head keeping other tokens", async () => {
    const kept = await decodedLikeMasked(gateEviction(model, gates, small), true);
    const counts = kept.flatMap((layers) =>
      layers.flatMap((flags) => [0, 1].map((head) => flags.filter((flag, i) => flag && i % 2 === head).length)),
    );
    expect(new Set(counts).size).toBeGreaterThan(6);
  }, 120_000);

  test("under gates that keep a share of the prompt, which is read with all its entries", async () => {
    const byKeys = await gatesFrom(model, { kind: "mlp", input: "key-value", inner: 6 }, (name, shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return name.endsWith("deviation") ? new Float32Array(size).fill(1) : normalValues(size, 0.5, stream(name));
    });
    const kept = await decodedLikeMasked(gateEviction(model, byKeys, { ...small, ratio: 0.4 }), false);
    kept.forEach((layers, row) => {
      const { length } = prompts[row]!;
      for (const flags of layers) {
        const heads = [0, 1].map((head) => flags.filter((_, i) => i % 2 === head));
        for (const head of heads) {
          expect(head.reduce((a, b) => a + b)).toBe(Math.ceil(0.4 * length));
          expect([...head.subarray(0, 2), ...head.subarray(length - 3)]).toEqual([1, 1, 1, 1, 1]);
        }
      }
    });
    expect(new Set(kept.flatMap((layers) => layers.map(String))).size).toBe(3 * model.config.layers);
    byKeys.dispose();
  }, 120_000);

  test.each(scores.map((score) => [score.name, score] as const))(
    "under %s",
    async (_, score) => {
      const kept = await decodedLikeMasked(scoreEviction(model, score, budget), false);
      kept.forEach((layers, row) =>
        layers.forEach((flags) =>
          expect(flags.reduce((a, b) => a + b)).toBe(2 * Math.ceil(0.4 * prompts[row]!.length)),
        ),
      );
    },
    120_000,
  );
});

describe("a ragged cache", () => {
  const answers = (cache?: ReturnType<typeof raggedCache>, samples = 1) =>
    generate(model, prompts, { maxNewTokens: 12, samples, temperature: samples > 1 ? 1 : 0, ...(cache && { cache }) });

  test("that keeps everything gives the answers of the contiguous one, several samples of a prompt included", async () => {
    const before = tf.memory().numTensors;
    expect(await answers(raggedCache(keepEverything(model)))).toEqual(await answers());
    expect(await answers(raggedCache(keepEverything(model)), 3)).toEqual(await answers(undefined, 3));
    expect(tf.memory().numTensors).toBe(before);
  }, 120_000);

  test("gives prompts that are computed together the bits that each has alone", async () => {
    const texts = [1, 15, 16, 17, 64, 129, 2, 200].map((length) => Array.from({ length }, () => 4 + random.below(240)));
    for (const eviction of [
      keepEverything(model),
      gateEviction(model, gates, small),
      gateEviction(model, gates, { ...small, ratio: 0.4 }),
      scoreEviction(model, snapKv({ window: 8 }), budget),
      scoreEviction(model, keyNorm(), budget),
    ]) {
      const alone: string[] = [];
      for (const text of texts) alone.push(...(await bitsOf(model, raggedCache(eviction), [text])));
      expect(await bitsOf(model, raggedCache(eviction), texts)).toEqual(alone);
      const turned = await bitsOf(model, raggedCache(eviction), texts.toReversed());
      expect(turned.toReversed()).toEqual(alone);
    }
  }, 120_000);

  test("holds as many bytes as it keeps entries, in tensors that are really there", async () => {
    const { layers, headSize } = model.config;
    const tensorBytes = async (eviction: PrefillEviction) => {
      const cache = raggedCache(eviction)(model.config, 3) as RaggedCache;
      const before = tf.memory().numBytes;
      const texts = continuation(model, cache, { read: valuesByRow, alone: false });
      for (const [row, prompt] of prompts.entries()) await texts.start([{ ids: prompt, place: row, forbidden: [] }]);
      const grown = tf.memory().numBytes - before;
      const entries = Array.from({ length: layers }, (_, layer) =>
        [0, 1, 2].flatMap((row) => cache.lengths(layer, row)),
      );
      expect(cache.bytes()).toBe(entries.flat().reduce((a, b) => a + b) * 2 * headSize * 4);
      expect(grown).toBe(cache.bytes());
      cache.dispose();
      expect(tf.memory().numBytes).toBe(before);
      return grown;
    };
    const full = await tensorBytes(keepEverything(model));
    const share = (await tensorBytes(scoreEviction(model, keyNorm(), budget))) / full;
    expect(share).toBeCloseTo(0.4, 1);
  });

  test("frees what is pending when it is disposed of before its prompt was settled", async () => {
    const before = tf.memory().numTensors;
    const cache = raggedCache({
      ...keepEverything(model),
      decide: () => {
        throw new Error("no decision");
      },
    })(model.config, 1);
    const texts = continuation(model, cache, { read: valuesByRow, alone: false });
    await expect(texts.start([{ ids: prompts[0]!, place: 0, forbidden: [] }])).rejects.toThrow("no decision");
    cache.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("under gates that keep everything is the model", async () => {
    const open: GateNetwork = { ...gates, probabilities: (_, x) => tf.ones([x.shape[0], 2]) };
    expect(await answers(raggedCache(gateEviction(model, open)))).toEqual(await answers());
  });
});

test("attention sums are the masses by which scores are defined", async () => {
  const [T, heads, G, d] = [150, 4, 2, 8];
  const [q, k] = [heads, G].map((n) => tf.tensor2d(normalValues(T * n * d, 1, stream("sums", n)), [T, n * d])) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const [Q, K] = [q.dataSync<"float32">(), k.dataSync<"float32">()];
  const attention = (h: number, i: number): Float64Array => {
    const e = Float64Array.from({ length: i + 1 }, (_, j) => {
      let dot = 0;
      for (let n = 0; n < d; n++) dot += Q[(i * heads + h) * d + n]! * K[(j * G + Math.floor(h / 2)) * d + n]!;
      return Math.exp(dot / Math.sqrt(d));
    });
    const total = e.reduce((a, b) => a + b);
    return e.map((x) => x / total);
  };
  for (const score of [h2o(), a2sf(), snapKv({ window: 8 })]) {
    if (score.reads !== "attention") throw new Error();
    const shape = { rows: 1, width: T, heads: G, lengths: [T] };
    const expected = attentionMass(score, shape, (_, g, i) => {
      const [a, b] = [attention(2 * g, i), attention(2 * g + 1, i)];
      return a.map((x, j) => (x + b[j]!) / 2);
    });
    const weights = Float32Array.from({ length: T }, (_, i) => score.queryWeight(i, T));
    const found = await attentionSums(q, k, { weights, heads, keyValueHeads: G }).data();
    expected.forEach((mass, i) => expect(found[i]).toBeCloseTo(mass, 4));
  }
});

describe("a score of several facts", () => {
  const length = 21;
  let tokens: Record<"q" | "k" | "v" | "input", tf.Tensor2D>[];
  beforeAll(() => {
    const { layers, heads, keyValueHeads, headSize, width } = model.config;
    const drawn = (columns: number, name: string, layer: number): tf.Tensor2D =>
      tf.tensor2d(normalValues(length * columns, 1, stream(name, layer)), [length, columns]);
    tokens = Array.from({ length: layers }, (_, layer) => ({
      q: drawn(heads * headSize, "facts q", layer),
      k: drawn(keyValueHeads * headSize, "facts k", layer),
      v: drawn(keyValueHeads * headSize, "facts v", layer),
      input: drawn(width, "facts input", layer),
    }));
  });
  afterAll(() => {
    tf.dispose(tokens);
  });
  const factsOf = (ranking: ReturnType<typeof rankByScore>): Float32Array[] =>
    tokens.map((own, layer) => tf.tidy(() => ranking.facts!(layer, own).dataSync<"float32">().slice()));

  test("reads what it asks for of each layer, and of its mass what a score of attention reads", () => {
    const { layers, keyValueHeads } = model.config;
    const seen: (CacheFacts & { layer: number; layers: number })[] = [];
    const ranking = rankByScore(model, {
      name: "reader",
      reads: "facts",
      needs: {
        masses: [{ weight: (query) => query }, { weight: () => 1, heads: "all" }],
        ...{ keys: true, values: true, states: true },
      },
      score(_, facts, where) {
        seen.push({ ...facts, ...where });
        return facts.masses[0]!;
      },
    });
    const scores = ranking.scores({ length }, factsOf(ranking));
    const byAttention = rankByScore(model, {
      name: "attention",
      reads: "attention",
      queryWeight: (query) => query,
      score: (_, mass) => mass,
    });
    expect(scores).toEqual(byAttention.scores({ length }, factsOf(byAttention)));
    seen.forEach((facts, layer) => {
      const { k, v, input } = tokens[layer]!;
      expect([facts.layer, facts.layers]).toEqual([layer, layers]);
      expect([facts.keys, facts.values, facts.states].map((x) => [...x!])).toEqual(
        [k, v, input].map((x) => [...x.dataSync()]),
      );
      const all = facts.masses[1]!;
      for (let t = 0; t < length; t++)
        expect(new Set(all.subarray(t * keyValueHeads, (t + 1) * keyValueHeads)).size).toBe(1);
      expect(all.reduce((a, b) => a + b, 0) / keyValueHeads).toBeCloseTo(length, 3); // each query gives 1 in all
    });
  });

  test("that decides for all layers adds up those that it names", () => {
    const { layers, keyValueHeads } = model.config;
    const [together, each] = [vtcCls(), lazyLlm()].map((score) => rankByScore(model, score));
    const scores = together!.scores({ length }, factsOf(together!));
    const own = each!.scores({ length }, factsOf(each!));
    const named = vtcCls().across!(layers);
    const sum = scores[0]!.map((_, entry) => named.reduce((total, layer) => total + own[layer]![entry]!, 0));
    for (const score of scores) score.forEach((value, entry) => expect(value).toBeCloseTo(sum[entry]!, 6));
    const kept = scoreEviction(model, vtcCls(), budget).decide(length, factsOf(together!));
    const shape = { rows: 1, width: length, heads: keyValueHeads, lengths: [length] };
    expect(kept).toEqual(scores.map(() => keepBudget(scores[0]!, shape, budget)));
  });

  test("that reads a fact which is not finite is refused with its place", () => {
    const ranking = rankByScore(model, lazyLlm());
    const facts = factsOf(ranking);
    facts[0]![5 * model.config.keyValueHeads] = NaN;
    expect(() => ranking.scores({ length }, facts)).toThrow(userError("not-finite", "row 0, token 5, head 0"));
  });
});

test("attention over runs of entries is on the cpu engine what its plain definition says", async () => {
  const [R, heads, G, d, E] = [3, 6, 2, 5, 40];
  const q = tf.tensor2d(normalValues(R * heads * d, 1, stream("ragged q")), [R, heads * d]);
  const [keys, values] = ["keys", "values"].map((name) =>
    tf.tensor2d(normalValues(E * d, 1, stream("ragged", name)), [E, d]),
  ) as [tf.Tensor2D, tf.Tensor2D];
  const runs = { firsts: Int32Array.of(0, 7, 7, 30, 39, 2), lengths: Int32Array.of(7, 20, 1, 10, 1, 38) };
  const options = { ...runs, heads, keyValueHeads: G };
  const expected = await withPlainDefinitions(() => raggedAttention(q, keys, values, options)).data();
  const found = await raggedAttention(q, keys, values, options).data();
  expected.forEach((value, i) => expect(found[i]).toBeCloseTo(value, 5));
  const past = { ...options, lengths: Int32Array.of(7, 20, 1, 11, 1, 38) };
  expect(() => raggedAttention(q, keys, values, past)).toThrow("the ends of runs[3] is 41");
});
