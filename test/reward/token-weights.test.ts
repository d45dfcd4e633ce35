import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { shuffledWeights, tokenWeights } from "../../src/reward/index.ts";
import { userError } from "../user-error.ts";
import { farthest, makeResponses, onResponses, responseOf } from "./responses.ts";

const line = makeResponses(["Prrrr"]);
const weightsOf = (scores: number[], right: number, options: Parameters<typeof tokenWeights>[3] = {}) =>
  Array.from(tokenWeights(Float32Array.from(scores), line, [right], options)).slice(1);
const near = (expected: readonly number[], digits = 4) => expected.map((x): unknown => expect.closeTo(x, digits));

describe("token weights", () => {
  test("are tanh(s / 2) on the sure side of one half, 0 on the other", () => {
    expect(weightsOf([9, 0.5, 1, 2, 4], 1)).toEqual(near([0.2449, 0.4621, 0.7616, 0.964]));
    expect(weightsOf([9, -0.5, -1, -2, -4], 1)).toEqual([0, 0, 0, 0]);
    expect(weightsOf([9, -0.5, -1, -2, -4], 0)).toEqual(near([0.2449, 0.4621, 0.7616, 0.964]));
    expect(weightsOf([9, 0.5, 1, 2, 4], 0)).toEqual([0, 0, 0, 0]);
  });

  test.each([0, 1])("are all 0 at the reward model's zero start (right: %d)", (right) => {
    for (const preset of ["paper", "released"] as const)
      expect(weightsOf([0, 0, 0, 0, 0], right, { preset })).toEqual([0, 0, 0, 0]);
  });

  test("of preset paper read the state that has seen the token, of preset released the one before it", () => {
    expect(weightsOf([2, 0, 0, 0, 0], 1)).toEqual([0, 0, 0, 0]);
    // running means of 2, 0, 0, 0
    const means = [2, 1, 2 / 3, 0.5].map((m) => Math.tanh(m / 2));
    expect(weightsOf([2, 0, 0, 0, 0], 1, { preset: "released" })).toEqual(near(means, 6));
    expect(weightsOf([0, 0, 0, 0, 2], 1, { preset: "released" })).toEqual([0, 0, 0, 0]);
  });

  test("run their mean over the response's tokens alone, across turns", () => {
    const turns = makeResponses(["PrrPPr"]);
    const scores = Float32Array.of(50, 1, 2, 50, 50, 3);
    const result = tokenWeights(scores, turns, [1], { of: "running-mean" });
    expect(responseOf(turns, result, 0)).toEqual(
      near(
        [1, 1.5, 2].map((m) => Math.tanh(m / 2)),
        6,
      ),
    );
  });

  test("above another threshold start there and end at 1", () => {
    // q = 0.75: (0.75 - 0.6) / 0.4
    const score = Math.log(3);
    expect(weightsOf([0, score, -score, 40, 0.1], 1, { threshold: 0.6 })).toEqual(near([0.375, 0, 1, 0]));
    expect(weightsOf([0, 0, 0, 0, 0], 1, { threshold: 0 })).toEqual(near([0.5, 0.5, 0.5, 0.5]));
  });

  test("stay in [0, 1] for any finite score", () => {
    const extreme = [0, 3e38, -3e38, 1000, -1000];
    for (const right of [0, 1])
      for (const options of [{}, { of: "running-mean" }, { topK: { ratio: 0.5 } }] as const)
        for (const w of weightsOf(extreme, right, options)) expect(w >= 0 && w <= 1).toBe(true);
    expect(weightsOf(extreme, 1)).toEqual([1, 0, 1, 0]);
    expect(weightsOf(extreme, 0)).toEqual([0, 1, 0, 1]);
  });

  test("refuse scores that are not finite, naming row and token; other positions may hold anything", () => {
    expect(() => weightsOf([0, 0, NaN, 0, 0], 1)).toThrow(userError("not-finite", "row 40, token 2"));
    expect(weightsOf([NaN, 0, 0, 0, 0], 1)).toEqual([0, 0, 0, 0]);
    expect(() => weightsOf([NaN, 0, 0, 0, 0], 1, { preset: "released" })).toThrow(
      userError("not-finite", "row 40, token 1"),
    );
  });

  test("need a state before the response where they read it there", () => {
    const bare = makeResponses(["rr"]);
    expect(() => tokenWeights(Float32Array.of(1, 1), bare, [1], { scoreAt: "before" })).toThrow(
      userError("missing-prompt", "row 40, token 0"),
    );
    expect(Array.from(tokenWeights(Float32Array.of(50, 50), bare, [1]))).toEqual([1, 1]);
  });

  test("refuse impossible options", () => {
    for (const options of [
      { threshold: 1 },
      { of: "max" },
      { topK: { ratio: 0 } },
      { preset: "x" },
      { scoreAt: "after" },
    ])
      expect(() => weightsOf([0, 0, 0, 0, 0], 1, options as object)).toThrow(
        userError("invalid-option", Object.keys(options)[0]),
      );
  });
});

describe("topK", () => {
  const topK = { ratio: 0.5 };
  test("stretches the largest int(T ratio) to [0, 1]: the least of them gets 0", () => {
    const [least, most, middle] = [0.5, 3, 1].map((s) => 1 / (1 + Math.exp(-s))) as [number, number, number];
    const result = weightsOf([0, 0.5, 3, -2, 1], 1, { topK: { ratio: 0.75 } });
    expect(result).toEqual(near([0, 1, 0, (middle - least) / (most - least)], 6));
  });
  test("is about wrongness on wrong responses, and knows no threshold", () => {
    expect(weightsOf([0, 4, 3, 2, 1], 0, { topK })).toEqual([0, 0, 0, 1]);
    expect(weightsOf([0, 4, 3, 2, 1], 1, { topK })).toEqual([1, 0, 0, 0]);
  });
  test("gives equal scores 1, the earlier tokens first", () => {
    expect(weightsOf([0, 0, 0, 0, 0], 1, { topK })).toEqual([1, 1, 0, 0]);
    expect(weightsOf([0, 1, 2, 1, 1], 1, { topK: { ratio: 0.25 } })).toEqual([0, 1, 0, 0]);
  });
  test("of a response too short for one token is all 0", () => {
    expect(weightsOf([0, 1, 2, 3, 4], 1, { topK: { ratio: 0.2 } })).toEqual([0, 0, 0, 0]);
  });
  test("takes 15 of 25 tokens at ratio 0.6, in spite of float64", () => {
    const long = makeResponses([`P${"r".repeat(25)}`]);
    const scores = onResponses(long, [Array.from({ length: 25 }, (_, k) => k / 10)]);
    const result = tokenWeights(scores, long, [1], { topK: { ratio: 0.6 } });
    // 15 tokens, the least of which has weight 0
    expect(result.filter((w) => w > 0)).toHaveLength(14);
  });
});

test("padding and other rows change no token weight", () => {
  const layout = ["PPrrrr", "Prrrrrrrr"];
  const values = [
    [1, -2, 0.3, 2],
    [0.1, -0.4, 3, 1, 1, -2, 0.2, 0.7],
  ];
  for (const options of [{ preset: "paper" }, { preset: "released" }, { topK: { ratio: 0.25 } }] as const) {
    const tight = makeResponses(layout);
    const padded = makeResponses(layout, { padding: 5 });
    const a = tokenWeights(onResponses(tight, values, 0.5), tight, [1, 0], options);
    const scores = onResponses(padded, values, 0.5);
    for (let b = 0; b < 2; b++) scores.fill(NaN, b * padded.width + layout[b]!.length, (b + 1) * padded.width);
    const b = tokenWeights(scores, padded, [1, 0], options);
    const alone = makeResponses([layout[0]!]);
    const c = tokenWeights(onResponses(alone, [values[0]!], 0.5), alone, [1], options);
    for (const row of [0, 1]) expect(farthest(responseOf(tight, a, row), responseOf(padded, b, row))).toBe(0);
    expect(farthest(responseOf(alone, c, 0), responseOf(tight, a, 0))).toBe(0);
  }
});

describe("shuffled weights", () => {
  const tokens = makeResponses(["PPrrrrrrrr", "PrrrPPrrr", "PP"]);
  const weights = onResponses(tokens, [
    [0.1, 0, 0, 0.9, 0.4, 0, 0.7, 0.2],
    [1, 0, 0.5, 0, 0.25, 0.125],
  ]);

  test("have the mass and the values of each response", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(1000), (seed, iteration) => {
        const result = shuffledWeights(weights, tokens, { seed, iteration });
        for (const row of [0, 1])
          expect(responseOf(tokens, result, row).sort()).toEqual(responseOf(tokens, weights, row).sort());
        for (let i = 0; i < result.length; i++) if (!tokens.response[i]) expect(result[i]).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test("are the same from the same seed, others from another seed or iteration", () => {
    const draw = (seed: number, iteration: number) => shuffledWeights(weights, tokens, { seed, iteration });
    expect(draw(1, 1)).toEqual(draw(1, 1));
    expect(draw(1, 1)).not.toEqual(draw(2, 1));
    expect(draw(1, 1)).not.toEqual(draw(1, 2));
  });

  test("do not depend on the other rows of the batch", () => {
    const alone = makeResponses(["PrrrPPrrr"], { padding: 3, firstRow: 41 });
    const single = shuffledWeights(onResponses(alone, [[1, 0, 0.5, 0, 0.25, 0.125]]), alone, { seed: 3, iteration: 0 });
    const batch = shuffledWeights(weights, tokens, { seed: 3, iteration: 0 });
    expect(responseOf(alone, single, 0)).toEqual(responseOf(tokens, batch, 1));
  });

  test("keep the push of each response instead, where they are told the policy's probabilities", () => {
    const pushUnder = weights.map((_, i) => -((i * 7) % 11) / 4);
    const dataWeights = tokens.response.map((mark, i) => (mark ? 1 + (i % 2) : 0));
    const weighed = { ...tokens, dataWeights: Float32Array.from(dataWeights) };
    const push = (values: Float32Array, row: number) =>
      responseOf(tokens, values.map((w, i) => w * dataWeights[i]! * (1 - Math.exp(pushUnder[i]!))), row) // prettier-ignore
        .reduce((sum, x) => sum + x, 0);
    const mass = shuffledWeights(weights, weighed, { seed: 3, iteration: 0 });
    const equal = shuffledWeights(weights, weighed, { seed: 3, iteration: 0, pushUnder });
    for (const row of [0, 1]) {
      expect(push(equal, row)).toBeCloseTo(push(weights, row), 5);
      expect(push(mass, row)).not.toBeCloseTo(push(weights, row), 2);
      const factor = push(equal, row) / push(mass, row);
      expect(
        farthest(
          responseOf(tokens, equal, row),
          responseOf(tokens, mass, row).map((w) => w * factor),
        ),
      ).toBeLessThan(1e-6);
    }
  });

  test("stay as they are where they push nothing", () => {
    const certain = new Float32Array(weights.length); // log p = 0
    const plain = shuffledWeights(weights, tokens, { seed: 3, iteration: 0 });
    expect(shuffledWeights(weights, tokens, { seed: 3, iteration: 0, pushUnder: certain })).toEqual(plain);
  });

  test("reach every place equally often", () => {
    const row = makeResponses(["Prrrr"]);
    const one = onResponses(row, [[1, 0, 0, 0]]);
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 2000; seed++)
      responseOf(row, shuffledWeights(one, row, { seed, iteration: 0 }), 0).forEach((w, k) => (counts[k]! += w));
    // standard deviation of each count: sqrt(2000 x 1/4 x 3/4) = 19.4
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(100);
  });
});
