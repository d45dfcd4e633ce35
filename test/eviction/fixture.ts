import { readFileSync } from "node:fs";
import type { EvictionScore } from "../../src/eviction/key-score.ts";
import type { CacheBudget, CacheShape } from "../../src/eviction/index.ts";
import type { EvictionLossOptions } from "../../src/eviction/loss-options.ts";
import type { GateOptions } from "../../src/eviction/gate-decision.ts";
import type { AccumulatedAttentionOptions } from "../../src/eviction/scores/accumulated-attention.ts";
import { type Attention, type Readable, scoreFrom } from "./score-from.ts";

const file = new URL("../fixtures/eviction/reference.json", import.meta.url);

/** What the reference program computed; its shape is that of `make.py`. */
export const fixture = JSON.parse(readFileSync(file, "utf8")) as {
  rows: number;
  width: number;
  heads: number;
  headSize: number;
  lengths: number[];
  rowIds: number[];
  sinks: number;
  window: number;
  response: number[];
  evictable: number[];
  gates: number[][];
  losses: { options: EvictionLossOptions; sum: number; mass: number; dGates: number[][] }[];
  keys: number[];
  values: number[];
  states: number[];
  attention: number[][][][];
  cotangent: number[];
  probability: number[];
  decisions: { options: GateOptions; value: number[]; loss: number; dProbability: number[] }[];
  scores: { name: string; options: AccumulatedAttentionOptions; score: number[] }[];
  ties: number[];
  budgets: { options: CacheBudget; keep: number[] }[];
};

export const shape: CacheShape = {
  rows: fixture.rows,
  width: fixture.width,
  heads: fixture.heads,
  lengths: fixture.lengths,
};

/** An array per token or per entry moved into wider rows, `filler` on the padding. */
export function widen<A extends Float32Array | Uint8Array>(
  values: A,
  from: CacheShape,
  width: number,
  filler: number,
): A {
  const each = values.length / (from.rows * from.width);
  const Type = values.constructor as new (length: number) => A;
  const out = new Type(from.rows * width * each).fill(filler) as A;
  for (let row = 0; row < from.rows; row++) {
    const start = row * from.width * each;
    out.set(values.subarray(start, start + from.lengths[row]! * each), row * width * each);
  }
  return out;
}

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values instead of ${expected.length}`);
  for (let i = 0; i < actual.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    if (!(distance <= tolerance * Math.max(1, Math.abs(expected[i]!))))
      throw new Error(`entry ${i} is ${actual[i]}, not ${expected[i]}`);
  }
}

const attentionOfFixture: Attention = (row, head, query) => fixture.attention[row]![head]![query]!;
const [keysOfFixture, valuesOfFixture, statesOfFixture] = [fixture.keys, fixture.values, fixture.states].map(
  (numbers) => Float32Array.from(numbers),
) as [Float32Array, Float32Array, Float32Array];

/** That of the fixture. */
export const readable: Readable = {
  attention: attentionOfFixture,
  keys: keysOfFixture,
  values: valuesOfFixture,
  states: statesOfFixture,
};

/** A score of what it reads, by default of the fixture. */
export function scoreOf(score: EvictionScore, at: CacheShape = shape, from: Readable = readable): Float32Array {
  return scoreFrom(score, at, from);
}
