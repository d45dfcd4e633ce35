import { describe, expect, test } from "@jest/globals";
import { createFrom, namesOf } from "../../src/config/catalogue.ts";
import { type CacheShape, type EvictionScore, evictionScores, keepBudget } from "../../src/eviction/index.ts";
import { a2sf } from "../../src/eviction/scores/a2sf.ts";
import { attentionMass } from "../../src/eviction/key-score.ts";
import { h2o } from "../../src/eviction/scores/h2o.ts";
import { keyDiff } from "../../src/eviction/scores/key-diff.ts";
import { keyDiffValue } from "../../src/eviction/scores/key-diff-value.ts";
import { keyNorm } from "../../src/eviction/scores/key-norm.ts";
import { observedMean } from "../../src/eviction/scores/observed-mean.ts";
import { snapKv } from "../../src/eviction/scores/snap-kv.ts";
import { streamingLlm } from "../../src/eviction/scores/streaming-llm.ts";
import { accumulatedAttention } from "../../src/eviction/scores/accumulated-attention.ts";
import { userError } from "../user-error.ts";
import { expectClose, fixture, shape, widen } from "./fixture.ts";

const keys = Float32Array.from(fixture.keys);
const values = Float32Array.from(fixture.values);
const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const make = (name: string, options: object): EvictionScore =>
  name === "accumulatedAttention"
    ? accumulatedAttention(options)
    : createFrom(evictionScores, { method: kebab(name), ...options });
const attention = (row: number, head: number, query: number) => fixture.attention[row]![head]![query]!;

function scoreOf(
  score: EvictionScore,
  at: CacheShape = shape,
  of = attention,
  cached = keys,
  cachedValues = values,
): Float32Array {
  if (score.reads === "positions") return score.score(at);
  if (score.reads === "keys-and-values") return score.score(at, cached, cachedValues);
  return score.score(at, score.reads === "keys" ? cached : attentionMass(score, at, of));
}

describe.each(fixture.scores)("$name $options", ({ name, options, score: expected }) => {
  const score = make(name, options);

  test("equals PyTorch", () => expectClose(scoreOf(score), expected));

  test("does not depend on padding, whatever lies there", () => {
    const wide = { ...shape, width: 20 };
    const [wideKeys, wideValues] = [keys, values].map((x) => widen(x, shape, 20, NaN));
    const padded = scoreOf(score, wide, attention, wideKeys, wideValues);
    expect(padded).toEqual(widen(scoreOf(score), shape, 20, 0));
  });

  test("is causal: it reads no attention on a key behind the query", () => {
    const spoilt = (row: number, head: number, query: number) => [...attention(row, head, query), NaN, 1e9];
    expect(scoreOf(score, shape, spoilt)).toEqual(scoreOf(score));
  });

  test("gives a row alone what it gives the row in a batch", () => {
    const { width, heads, headSize, lengths } = fixture;
    const alone = { rows: 1, width: lengths[1]!, heads, lengths: [lengths[1]!] };
    const cut = (x: Float32Array, each: number) => x.slice(width * each, (width + lengths[1]!) * each);
    const [ownKeys, ownValues] = [keys, values].map((x) => cut(x, heads * headSize));
    const single = scoreOf(score, alone, (_, head, query) => attention(1, head, query), ownKeys, ownValues);
    expect(single).toEqual(cut(scoreOf(score), heads));
  });
});

test("of the catalogue are all compared with PyTorch", () => {
  const compared = new Set(fixture.scores.map(({ name }) => kebab(name)));
  expect(namesOf(evictionScores).filter((name) => !compared.has(name))).toEqual([]);
});

describe("scores", () => {
  const row = (length: number) => ({ rows: 1, width: length, heads: 1, lengths: [length] });
  const uniform = (_row: number, _head: number, query: number) => new Array<number>(query + 1).fill(1 / (query + 1));

  test("of plain sums over-count early tokens, of means do not", () => {
    // uniform attention of 4 tokens: token 0 draws 1 + 1/2 + 1/3 + 1/4, token 3 draws 1/4
    const sums = scoreOf(h2o(), row(4), uniform);
    expectClose(sums, [25 / 12, 13 / 12, 7 / 12, 1 / 4]);
    expectClose(scoreOf(observedMean(), row(4), uniform), [25 / 48, 13 / 36, 7 / 24, 1 / 4]);
  });

  test("of A2SF are H2O's when nothing is forgotten, and otherwise γ times the old ones plus the new query's", () => {
    expect(scoreOf(a2sf({ gamma: 1 }))).toEqual(scoreOf(h2o()));
    const [before, after] = [4, 5].map((length) => scoreOf(a2sf({ gamma: 0.8 }), row(length), uniform));
    expectClose(
      after!.subarray(0, 4),
      before!.map((x) => 0.8 * x + 1 / 5),
    );
  });

  test("of SnapKV run the last queries alone, and none of the window's own attention leaks into the pool", () => {
    const read = new Set<number>();
    const focused = (_row: number, _head: number, query: number) => {
      read.add(query);
      return Array.from({ length: query + 1 }, (_, key) => Number(key === query));
    };
    const scores = scoreOf(snapKv({ window: 3, kernel: 5 }), row(10), focused);
    expect([...read]).toEqual([7, 8, 9]);
    expect([...scores.subarray(0, 7)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([...keepBudget(scores, row(10), { budget: 3 })].join("")).toBe("0000000111");
  });

  test("of SnapKV lift the neighbours of a hit, and divide by the whole kernel at the edge", () => {
    const hit = (_row: number, _head: number, query: number) =>
      Array.from({ length: query + 1 }, (_, key) => Number(key === 1));
    // one key holds a mean of 1; a kernel of 5 spreads a fifth to two neighbours on each side
    const scores = scoreOf(snapKv({ window: 2, kernel: 5 }), row(9), hit);
    expectClose(scores.subarray(0, 7), [0.2, 0.2, 0.2, 0.2, 0, 0, 0]);
  });

  test("of StreamingLLM keep the first four and the last of any budget", () => {
    const kept = (budget: number) => [...keepBudget(streamingLlm().score(row(9)), row(9), { budget })].join("");
    expect(kept(6)).toBe("111100011");
    expect(kept(4)).toBe("111100000");
    expect(kept(2)).toBe("110000000");
  });

  test("of KeyDiff average directions, not keys: one long key decides nothing", () => {
    const long = Float32Array.of(1000, 0, 0, 1, 0, 1);
    // centre (1/3, 2/3): the long key points away from most, cos 1/sqrt 5 against 2/sqrt 5
    expectClose(keyDiff().score(row(3), long), [-1 / Math.sqrt(5), -2 / Math.sqrt(5), -2 / Math.sqrt(5)]);
  });

  test("of keys without a direction are 0", () => {
    expect([...keyDiff().score(row(2), Float32Array.of(0, 0, 1, 0))]).toEqual([0, -1]);
    expect(
      keyDiff()
        .score(row(2), Float32Array.of(1, 0, -1, 0))
        .every((x) => x === 0),
    ).toBe(true);
  });

  test("of KeyDiff and values keep the longer of two values behind equal keys, and none of zeros", () => {
    const equal = Float32Array.of(0, 1, 0, 1, 1, 0);
    const scores = keyDiffValue().score(row(3), equal, Float32Array.of(3, 4, 0, 0, 0, 1));
    // centre (1/3, 2/3): the first two have the cosine 2/sqrt 5, the last one 1/sqrt 5
    expectClose(scores, [5 * (1 - 2 / Math.sqrt(5)), 0, 1 - 1 / Math.sqrt(5)]);
    expect(() => keyDiffValue().score(row(3), equal, equal.subarray(1))).toThrow(
      userError("wrong-shape", "5 entries instead of 3"),
    );
  });

  test("of the key norm keep short keys", () => {
    expect([...keyNorm().score(row(2), Float32Array.of(3, 4, 1, 0))]).toEqual([-5, -1]);
  });

  test("refuse what does not fit, and say where", () => {
    const mass = new Float32Array(84);
    mass[(14 + 2) * 2 + 1] = Infinity;
    for (const score of [h2o(), snapKv()])
      expect(() => score.score(shape, mass)).toThrow(userError("not-finite", "row 1, token 2, head 1"));
    expect(() => h2o().score(shape, mass.subarray(1))).toThrow(userError("wrong-shape", "83 entries instead of 84"));
    expect(() => keyNorm().score(shape, keys.subarray(1))).toThrow(
      userError("wrong-shape", "335 entries instead of 252"),
    );
    expect(() => keyDiff().score(row(1), Float32Array.of(NaN, 1))).toThrow(
      userError("not-finite", "row 0, token 0, head 0"),
    );
    expect(() => a2sf({ gamma: 0 })).toThrow(userError("invalid-option", "gamma"));
    expect(() => snapKv({ kernel: 4 })).toThrow(userError("invalid-option", "kernel"));
    expect(() => snapKv({ window: 0 })).toThrow(userError("invalid-option", "window"));
    expect(() => streamingLlm({ sinks: 1.5 })).toThrow(userError("invalid-option", "sinks"));
    expect(() => accumulatedAttention({ normalise: "rank" as "none" })).toThrow(
      userError("invalid-option", /normalise .*\bnone\b/),
    );
  });
});
