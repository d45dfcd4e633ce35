import { describe, expect, test } from "@jest/globals";
import { inverseFrequencies, rotaryAngles, type Rope } from "../../../src/model/rope/index.ts";
import { rotatedShareOf, rotatedSize } from "../../../src/model/rope/rope.ts";
import { cases, readRopes, type TextCase } from "./cases.ts";

const each = cases.flatMap((reference) => {
  const { rope, localRope } = readRopes(reference, reference.newer);
  const { name, headSize, texts, localTexts } = reference;
  const own = { name, headSize, rope, texts };
  return localTexts && localRope
    ? [own, { name: `${name}, with a window`, headSize, rope: localRope, texts: localTexts }]
    : [own];
});

/** The whole text's positions, of which the fixture has some. */
function at(texts: TextCase, { cos, pairs }: { cos: Float32Array; pairs: number }): number[] {
  return texts.positions.flatMap((position) => [...cos.subarray(position * pairs, (position + 1) * pairs)]);
}

function upTo(length: number): Int32Array {
  return Int32Array.from({ length }, (_, position) => position);
}

describe("inverse frequencies", () => {
  // PyTorch's vectorised power is off by a unit in the last place now and then; the rest is the same to the bit
  test.each(each)("are those of transformers: $name", ({ headSize, rope, texts }) => {
    for (const { length, frequencies } of texts) {
      const own = inverseFrequencies({ headSize, rope }, length);
      expect(own).toHaveLength(frequencies.length);
      const differing = frequencies.filter((theirs, pair) => own[pair] !== Math.fround(theirs));
      expect(differing.length).toBeLessThanOrEqual(2);
      frequencies.forEach((theirs, pair) => expect(Math.abs(own[pair]! / theirs - 1)).toBeLessThan(1.8e-7));
    }
  });
});

describe("rotary angles", () => {
  test.each(each)("are those of transformers, far on too: $name", ({ headSize, rope, texts }) => {
    for (const text of texts) {
      const own = rotaryAngles(upTo(text.length), { headSize, rope });
      const frequencies = inverseFrequencies({ headSize, rope }, text.length);
      for (const name of ["cos", "sin"] as const) {
        const ours = at(text, { ...own, cos: own[name] });
        expect(ours).toHaveLength(text[name].length);
        ours.forEach((value, i) => {
          const [position, pair] = [text.positions[Math.floor(i / own.pairs)]!, i % own.pairs];
          const [own32, theirs32] = [frequencies[pair]!, Math.fround(text.frequencies[pair]!)];
          // what the frequency is off by, and the rounding of its product with the position
          const turned = own32 === theirs32 ? 0 : position * (Math.abs(own32 - theirs32) + 1.2e-7 * theirs32);
          // a unit in the last place of numbers up to an attention factor below 2
          expect(Math.abs(value - text[name][i]!)).toBeLessThan(2.4e-7 + 1.4 * turned);
        });
      }
    }
  });

  const dynamic: Rope = { theta: 1e4, scaling: { type: "dynamic", factor: 2, originalMaxPositions: 4 } };
  const longrope: Rope = {
    theta: 1e4,
    scaling: {
      type: "longrope",
      shortFactors: [1, 1],
      longFactors: [2, 8],
      originalMaxPositions: 4,
      attentionFactor: 1,
    },
  };

  test.each([dynamic, longrope])("of a text do not depend on its neighbours: $scaling.type", (rope) => {
    const heads = { headSize: 4, rope };
    const [short, long] = [upTo(3), upTo(7)];
    const [alone, alone2] = [rotaryAngles(short, heads), rotaryAngles(long, heads)];
    const packed = rotaryAngles(Int32Array.of(...long, ...short, 0), heads);
    expect([...packed.cos]).toEqual([...alone2.cos, ...alone.cos, 1, 1]);
    expect([...packed.sin]).toEqual([...alone2.sin, ...alone.sin, 0, 0]);
    // position 2 is turned by less in the long text
    expect(alone2.sin[2 * 2 + 1]).toBeLessThan(alone.sin[2 * 2 + 1]!);
  });

  test.each([dynamic, longrope])("follow a text that grows: $scaling.type", (rope) => {
    const heads = { headSize: 4, rope };
    for (const length of [3, 4, 5, 9]) {
      const whole = rotaryAngles(upTo(length), heads);
      const last = rotaryAngles(Int32Array.of(length - 1), heads, Int32Array.of(length));
      expect([...last.sin]).toEqual([...whole.sin.subarray(-2)]);
    }
    expect(() => rotaryAngles(Int32Array.of(5), heads)).toThrow(RangeError); // nobody said how long its text is
    expect(() => rotaryAngles(Int32Array.of(0, 1, 3), heads)).toThrow(RangeError);
  });

  test("of a part of each head are as many as the part has pairs", () => {
    const heads = { headSize: 16, rope: { theta: 1e4, rotatedShare: 0.25 } };
    const whole = { headSize: 4, rope: { theta: 1e4 } };
    expect(rotaryAngles(upTo(3), heads)).toEqual(rotaryAngles(upTo(3), whole));
    expect(rotaryAngles(upTo(3), heads).pairs).toBe(2);
    for (let headSize = 2; headSize <= 512; headSize += 2) {
      for (let size = 2; size < headSize; size += 2) {
        const rope = { theta: 1, rotatedShare: rotatedShareOf(size, headSize) };
        if (rotatedSize({ headSize, rope }) !== size) throw new Error(`${size} of ${headSize}`);
      }
    }
  });
});
