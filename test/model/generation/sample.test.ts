import { describe, expect, test } from "@jest/globals";
import { drawToken, mostLikely, type Sampling } from "../../../src/model/generation/sample.ts";
import { stream, type RandomStream } from "../../../src/system/random.ts";
import { userError } from "../../user-error.ts";

/** A token id by its logits; one number of the stream is used, none if the temperature is 0. */
function sampleToken(logits: Float32Array, { temperature, ...from }: Sampling, random: RandomStream): number {
  const best = mostLikely(logits);
  if (temperature === 0) return best;
  const weights = logits.map((logit) => Math.exp((logit - logits[best]!) / temperature));
  return drawToken(weights, from, random);
}

/** Logits of known probabilities, the largest not first. */
const probabilities = [0.1, 0.4, 0.05, 0.3, 0.15];
const logits = Float32Array.from(probabilities, (p) => Math.log(p) + 3);

/** Shares of each id among many draws. */
function shares(sampling: Sampling, values = logits, draws = 20_000): number[] {
  const random = stream("sample", draws);
  const counts = new Array<number>(values.length).fill(0);
  for (let i = 0; i < draws; i++) counts[sampleToken(values, sampling, random)]!++;
  return counts.map((count) => count / draws);
}

// Standard error of a share: at most sqrt(.25 / 20000) = .0035
function expectShares(actual: number[], expected: number[]): void {
  expected.forEach((share, id) => expect(Math.abs(actual[id]! - share)).toBeLessThan(share === 0 ? 1e-12 : 0.015));
}

describe("sampling", () => {
  test("draws from the softmax of the logits", () => {
    expectShares(shares({ temperature: 1 }), probabilities);
  });

  test("a temperature of one half squares the probabilities", () => {
    // squares .01 .16 .0025 .09 .0225, sum .285
    expectShares(
      shares({ temperature: 0.5 }),
      [0.01, 0.16, 0.0025, 0.09, 0.0225].map((p) => p / 0.285),
    );
  });

  test("a temperature of zero takes the largest, the first of equals", () => {
    const random = stream("unused");
    expect(sampleToken(logits, { temperature: 0 }, random)).toBe(1);
    expect(sampleToken(Float32Array.of(1, 2, 2), { temperature: 0 }, random)).toBe(1);
    expect(random.next()).toBe(stream("unused").next());
  });

  test("topK leaves the k largest", () => {
    // .4 and .3, sum .7
    expectShares(shares({ temperature: 1, topK: 2 }), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]);
    expectShares(shares({ temperature: 1, topK: 9 }), probabilities);
    // three equal logits: the lower ids
    expectShares(shares({ temperature: 1, topK: 2 }, Float32Array.of(0, 1, 1, 1)), [0, 0.5, 0.5, 0]);
  });

  test("topP leaves the fewest tokens that reach the share", () => {
    // .4 + .3 = .7 >= .65; .7 < .72 <= .7 + .15
    expectShares(shares({ temperature: 1, topP: 0.65 }), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]);
    expectShares(shares({ temperature: 1, topP: 0.72 }), [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]);
    expectShares(shares({ temperature: 1, topP: 0.01 }), [0, 1, 0, 0, 0]);
    expectShares(shares({ temperature: 1, topP: 1 }), probabilities);
  });

  test("topP counts shares of what topK left", () => {
    // of the three largest .4 .3 .15 the shares are .47 .35 .18: .47 + .35 = .82 >= .8, where plain .7 would not do
    expectShares(shares({ temperature: 1, topK: 3, topP: 0.8 }), [0, 0.4 / 0.7, 0, 0.3 / 0.7, 0]);
  });

  test("topK and topP leave what sorting the whole vocabulary leaves", () => {
    const source = stream("vocabulary");
    // peaked and flat, with many equal weights
    for (const [spread, steps] of [
      [12, 1000],
      [3, 40],
      [0.01, 5],
    ] as const) {
      const values = Float32Array.from({ length: 5000 }, () => (Math.floor(source.next() * steps) / steps) * spread);
      const largest = values.reduce((a, b) => Math.max(a, b));
      const weights = values.map((value) => Math.exp(value - largest));
      const weight = (id: number): number => weights[id]!;
      const order = Array.from(values.keys()).sort((a, b) => weight(b) - weight(a) || a - b);
      for (const [topK, topP] of [
        [1, 1],
        [40, 1],
        [700, 0.9],
        [5000, 0.5],
        [4999, 0.999],
      ] as const) {
        const first = order.slice(0, topK);
        const total = first.reduce((sum, id) => sum + weight(id), 0);
        let mass = 0;
        const end = topP === 1 ? topK : first.findIndex((id) => (mass += weight(id)) >= topP * total) + 1;
        const allowed = new Set(first.slice(0, end));
        const random = stream("draws", topK);
        const drawn = Array.from({ length: 60 }, () => sampleToken(values, { temperature: 1, topK, topP }, random));
        expect(drawn.filter((id) => !allowed.has(id))).toEqual([]);
        // the edges of what is left are drawn too: the ends of the range of uniform numbers
        const ids = [...allowed].sort((a, b) => a - b);
        const ends = [0, 1 - 2 ** -32].map((uniform) =>
          sampleToken(values, { temperature: 1, topK, topP }, { next: () => uniform, below: () => 0 }),
        );
        expect(ends).toEqual([ids[0], ids.at(-1)]);
      }
    }
  });

  test("impossible tokens are never drawn", () => {
    const values = Float32Array.of(-Infinity, 0, -Infinity, 0);
    for (const options of [{}, { topP: 0.99 }, { topK: 3 }]) {
      expectShares(
        shares({ temperature: 2, ...options }, values, 2000),
        [0, 0.5, 0, 0.5].map((p) => p),
      );
    }
  });

  test("logits that are not numbers are an error", () => {
    expect(() => sampleToken(Float32Array.of(0, NaN), { temperature: 1 }, stream(0))).toThrow(
      userError("not-finite", "token 1"),
    );
  });
});
