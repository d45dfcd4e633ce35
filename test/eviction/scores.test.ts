import { describe, expect, test } from "@jest/globals";
import { createFrom, namesOf } from "../../src/config/catalogue.ts";
import { type EvictionScore, evictionScores, keepBudget } from "../../src/eviction/index.ts";
import { a2sf } from "../../src/eviction/scores/a2sf.ts";
import { h2o } from "../../src/eviction/scores/h2o.ts";
import { keyDiff } from "../../src/eviction/scores/key-diff.ts";
import { keyDiffValue } from "../../src/eviction/scores/key-diff-value.ts";
import { keyNorm } from "../../src/eviction/scores/key-norm.ts";
import { observedMean } from "../../src/eviction/scores/observed-mean.ts";
import { snapKv } from "../../src/eviction/scores/snap-kv.ts";
import { streamingLlm } from "../../src/eviction/scores/streaming-llm.ts";
import { alisa } from "../../src/eviction/scores/alisa.ts";
import { compressKv } from "../../src/eviction/scores/compress-kv.ts";
import { ems } from "../../src/eviction/scores/ems.ts";
import { mcMoe } from "../../src/eviction/scores/mc-moe.ts";
import { rsq } from "../../src/eviction/scores/rsq.ts";
import { vtcCls } from "../../src/eviction/scores/vtc-cls.ts";
import { zipVl } from "../../src/eviction/scores/zip-vl.ts";
import { accumulatedAttention } from "../../src/eviction/scores/accumulated-attention.ts";
import { userError } from "../user-error.ts";
import { expectClose, fixture, readable, scoreOf, shape, widen } from "./fixture.ts";
import type { Attention } from "./score-from.ts";

const keys = Float32Array.from(fixture.keys);
const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const make = (name: string, options: object): EvictionScore =>
  name === "accumulatedAttention"
    ? accumulatedAttention(options)
    : createFrom(evictionScores, { method: kebab(name), ...options });
describe.each(fixture.scores)("$name $options", ({ name, options, score: expected }) => {
  const score = make(name, options);

  test("equals PyTorch", () => expectClose(scoreOf(score), expected));

  test("does not depend on padding, whatever lies there", () => {
    const wide = { ...shape, width: 20 };
    const { attention, ...numbers } = readable;
    const [keys, values, states] = Object.values(numbers).map((x) => widen(x, shape, 20, NaN));
    const padded = scoreOf(score, wide, { attention, keys: keys!, values: values!, states: states! });
    expect(padded).toEqual(widen(scoreOf(score), shape, 20, 0));
  });

  test("is causal: it reads no attention on a key behind the query", () => {
    const spoilt: Attention = (row, head, query) => [...Array.from(readable.attention(row, head, query)), NaN, 1e9];
    expect(scoreOf(score, shape, { ...readable, attention: spoilt })).toEqual(scoreOf(score));
  });

  test("gives a row alone what it gives the row in a batch", () => {
    const { width, heads, headSize, lengths } = fixture;
    const alone = { rows: 1, width: lengths[1]!, heads, lengths: [lengths[1]!] };
    const cut = (x: Float32Array, each: number) => x.slice(width * each, (width + lengths[1]!) * each);
    const single = scoreOf(score, alone, {
      attention: (_, head, query) => readable.attention(1, head, query),
      keys: cut(readable.keys, heads * headSize),
      values: cut(readable.values, heads * headSize),
      states: cut(readable.states, readable.states.length / (shape.rows * width)),
    });
    expect(single).toEqual(cut(scoreOf(score), heads));
  });
});

test("of the catalogue are all compared with PyTorch", () => {
  const compared = new Set(fixture.scores.map(({ name }) => kebab(name)));
  expect(namesOf(evictionScores).filter((name) => !compared.has(name))).toEqual([]);
});

describe("scores", () => {
  const row = (length: number) => ({ rows: 1, width: length, heads: 1, lengths: [length] });
  const seen = (attention: Attention) => ({ ...readable, attention });
  const uniform = (_row: number, _head: number, query: number) => new Array<number>(query + 1).fill(1 / (query + 1));

  test("of plain sums over-count early tokens, of means do not", () => {
    // uniform attention of 4 tokens: token 0 draws 1 + 1/2 + 1/3 + 1/4, token 3 draws 1/4
    const sums = scoreOf(h2o(), row(4), seen(uniform));
    expectClose(sums, [25 / 12, 13 / 12, 7 / 12, 1 / 4]);
    expectClose(scoreOf(observedMean(), row(4), seen(uniform)), [25 / 48, 13 / 36, 7 / 24, 1 / 4]);
  });

  test("of A2SF are H2O's when nothing is forgotten, and otherwise γ times the old ones plus the new query's", () => {
    expect(scoreOf(a2sf({ gamma: 1 }))).toEqual(scoreOf(h2o()));
    const [before, after] = [4, 5].map((length) => scoreOf(a2sf({ gamma: 0.8 }), row(length), seen(uniform)));
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
    const scores = scoreOf(snapKv({ window: 3, kernel: 5 }), row(10), seen(focused));
    expect([...read]).toEqual([7, 8, 9]);
    expect([...scores.subarray(0, 7)]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([...keepBudget(scores, row(10), { budget: 3 })].join("")).toBe("0000000111");
  });

  test("of SnapKV lift the neighbours of a hit, and divide by the whole kernel at the edge", () => {
    const hit = (_row: number, _head: number, query: number) =>
      Array.from({ length: query + 1 }, (_, key) => Number(key === 1));
    // one key holds a mean of 1; a kernel of 5 spreads a fifth to two neighbours on each side
    const scores = scoreOf(snapKv({ window: 2, kernel: 5 }), row(9), seen(hit));
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

  test("of CompressKV are the mean over a layer's heads of SnapKV's", () => {
    const [own, each] = [compressKv({ window: 4 }), snapKv({ window: 4 })].map((score) => scoreOf(score));
    const { heads } = shape;
    const expected = each!.map((_, i) => {
      const first = i - (i % heads);
      return each!.subarray(first, first + heads).reduce((a, b) => a + b, 0) / heads;
    });
    expectClose(own!, expected);
  });

  test("of ALISA keep the last half of the budget and as many others; of everything, everything", () => {
    const firstTwo = (_row: number, _head: number, query: number) =>
      Array.from({ length: query + 1 }, (_, key) => (key < 2 ? 1 / Math.min(2, query + 1) : 0));
    const kept = keepBudget(scoreOf(alisa(), row(8), seen(firstTwo)), row(8), { ratio: 0.5 });
    expect([...kept].join("")).toBe("11000011");
    expect([...keepBudget(scoreOf(alisa({ ratio: 1 }), row(8), seen(firstTwo)), row(8), { ratio: 1 })]).toEqual(
      new Array(8).fill(1),
    );
  });

  test("of EMS are twice the mean attention where all queries see all keys alike", () => {
    // uniform attention on one key each: g is 1 on the diagonal's keys over n - j, l their sum
    const scores = scoreOf(ems({ window: 1 }), row(3), seen(uniform));
    // mean attention 11/18, 5/12, 1/3 (mean 49/108); the last query gives a third to each (mean 1/3): scale 36/49
    expectClose(
      scores,
      [11 / 18, 5 / 12, 1 / 3].map((g) => (g * 36) / 49 + 1 / 3),
    );
  });

  test("of ZipVL that asks every query are the mean attention of those that see the key, over all heads", () => {
    expectClose(scoreOf(zipVl({ recent: 14 }), row(4), seen(uniform)), [25 / 48, 13 / 36, 7 / 24, 1 / 4]);
    const few = new Set<number>();
    const noting: Attention = (_, _head, query) => (few.add(query), uniform(0, 0, query));
    scoreOf(zipVl({ recent: 2, drawn: 3 }), row(12), seen(noting));
    expect([few.size, few.has(11), few.has(10)]).toEqual([5, true, true]);
  });

  test("of RSQ are weights of mean 1, and all 1 where every key draws as much", () => {
    const own = scoreOf(rsq(), row(5), seen(uniform));
    expect(own.reduce((a, b) => a + b, 0)).toBeCloseTo(5, 5);
    expect([
      ...scoreOf(
        rsq({ normalise: "count" }),
        row(4),
        seen((_r, _h, query) => new Array<number>(query + 1).fill(1)),
      ),
    ]).toEqual([1, 1, 1, 1]);
  });

  test("of MC-MoE grow with the state; its program reads no attention at all", () => {
    const read = { ...readable, states: Float32Array.of(1, -2, 0, 3, 0, 0) };
    const released = mcMoe({ form: "released" });
    expect(released.needs.masses).toEqual([]);
    expectClose(scoreOf(released, row(3), read), [3 / 3, 3 / 2, 0]);
    expectClose(scoreOf(mcMoe(), row(3), { ...read, attention: uniform }), [3 * (11 / 18), 3 * (5 / 12), 0]);
  });

  test("of VTC-CLS add up the deeper half of the layers but the last, and at least one", () => {
    const layers = (count: number) => vtcCls().across!(count);
    expect([30, 8, 3, 2, 1].map(layers)).toEqual([
      [15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28],
      [4, 5, 6],
      [1],
      [0],
      [0],
    ]);
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
