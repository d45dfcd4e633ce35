import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { keyDiff } from "../../../src/eviction/scores/key-diff.ts";
import { snapKv } from "../../../src/eviction/scores/snap-kv.ts";
import { keepEverything } from "../../../src/eviction/cache/evictions.ts";
import { raggedCache, scoreEviction } from "../../../src/eviction/cache/index.ts";
import { decode } from "../../../src/model/decoder.ts";
import type { AttentionHook } from "../../../src/model/layer.ts";
import { generate, loadModel, type CacheMaker, type DecoderConfig, type Model } from "../../../src/model/index.ts";
import { outputLogits } from "../../../src/model/output.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { distance } from "../reference.ts";
import { attending, type FamilyFixture, logitsBehind, nllOf } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);

describe.each(attending)("the model %s, token by token", (_, fixture) => {
  const { folder, expected } = fixture;
  const texts = steadyTexts(fixture);
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model.dispose());

  test("gives every token the probability that transformers gives it in the whole text", async () => {
    for (const row of texts) {
      const { ids } = expected.rows[row]!;
      const begun = ids.length - 5;
      const logits = await continued(model, ids.slice(0, begun), ids.slice(begun));
      for (let t = begun; t < ids.length; t++)
        expect(Math.abs(nllOf(logits[t - begun]!, ids[t]!) - expected.nll[row]![t]!)).toBeLessThan(1e-4);
      expect(distance(logits.at(-1)!, expected.logits[row]!)).toBeLessThan(1e-4);
    }
  });

  test("goes on alike over a ragged cache that keeps everything", async () => {
    const prompts = expected.greedy.map(({ prompt }) => prompt);
    const options = { maxNewTokens: 10, stop: [] };
    const ragged = await generate(model, prompts, { ...options, cache: raggedCache(keepEverything(model)) });
    expect(ragged).toEqual(await generate(model, prompts, options));
  });

  test.each([["keys"], ["attention"]])(
    "over a ragged cache is attention with what it evicted masked: %s",
    async (kind) => {
      const score = kind === "keys" ? keyDiff() : snapKv({ window: 4 });
      const eviction = scoreEviction(model, score, { ratio: 0.5, sinks: 1, recent: 2 });
      for (const row of texts.slice(0, 1)) {
        const { ids } = expected.rows[row]!;
        const begun = ids.length - 4;
        let keep: readonly Uint8Array[] = [];
        const cache = raggedCache(eviction, {
          onEvicted: (flags) => (keep = flags.map((own) => Uint8Array.from(own))),
        });
        const found = await continued(model, ids.slice(0, begun), ids.slice(begun), cache);
        expect(keep.some((flags) => flags.includes(0))).toBe(true);
        const exact = await maskedLogits(model, ids, begun, keep);
        found.forEach((logits, step) => expect(distance(logits, exact[step]!)).toBeLessThan(1e-4));
      }
    },
  );
});

/** Rows in which no token's rotation changes as the text grows. */
function steadyTexts({ expected: { rows }, steadyLength }: FamilyFixture): number[] {
  return [...rows.keys()].filter((row) => rows[row]!.ids.length <= steadyLength);
}

/** Logits behind the beginning, and behind each token that follows. */
async function continued(
  model: Model,
  beginning: number[],
  more: number[],
  cache?: CacheMaker,
): Promise<Float32Array[]> {
  const texts = logitsBehind(model, 1, cache);
  const found = await texts.start([{ ids: beginning, place: 0, forbidden: [] }]);
  for (const [i, id] of more.entries())
    found.push(...(await texts.extend([{ id, position: beginning.length + i, place: 0 }])));
  texts.dispose();
  return found;
}

/** Logits behind the tokens from `begun - 1` on, by plain attention that hides evicted tokens of the beginning. */
async function maskedLogits(
  model: Model,
  ids: number[],
  begun: number,
  keep: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const places = Int32Array.from({ length: ids.length - begun + 1 }, (_, i) => begun - 1 + i);
  const input = {
    ids: Int32Array.from(ids),
    positions: Int32Array.from(ids.keys()),
    attend: masked(model.config, begun, keep),
  };
  const logits = tf.tidy(() => outputLogits(model, decode(model, input, places)));
  const values = await logits.data<"float32">();
  logits.dispose();
  const width = model.config.vocabularySize;
  return [...places.keys()].map((i) => values.subarray(i * width, (i + 1) * width));
}

/** Attention key by key. The beginning itself is read with all its tokens. */
function masked(config: DecoderConfig, begun: number, keep: readonly Uint8Array[]): AttentionHook {
  const { heads, keyValueHeads, headSize: d, attentionScale = d ** -0.5, attentionCap, windowLayers } = config;
  return (layer, q, k, v) => {
    const window = windowLayers?.includes(layer) ? config.window! : Infinity;
    const [Q, K, V] = [q, k, v].map((x) => x.dataSync<"float32">()) as [Float32Array, Float32Array, Float32Array];
    const out = new Float32Array(Q.length);
    for (let i = 0; i < q.shape[0]; i++)
      for (let h = 0; h < heads; h++) {
        const c = Math.floor((h * keyValueHeads) / heads);
        const isKept = (j: number): boolean => j >= begun || i < begun || keep[layer]![j * keyValueHeads + c] === 1;
        const seen = Array.from({ length: i + 1 }, (_, j) => j).filter((j) => j > i - window && isKept(j));
        const at = (j: number): number => (j * keyValueHeads + c) * d;
        const e = seen.map((j) => {
          let dot = 0;
          for (let n = 0; n < d; n++) dot += Q[(i * heads + h) * d + n]! * K[at(j) + n]!;
          const score = dot * attentionScale;
          return Math.exp(attentionCap === undefined ? score : attentionCap * Math.tanh(score / attentionCap));
        });
        const total = e.reduce((a, b) => a + b, 0);
        seen.forEach((j, s) => {
          for (let n = 0; n < d; n++) out[(i * heads + h) * d + n]! += (e[s]! / total) * V[at(j) + n]!;
        });
      }
    return tf.tensor2d(out, q.shape);
  };
}
