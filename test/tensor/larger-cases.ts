import { integers, normal } from "./compare.ts";
import type { Arguments, PackedTensor } from "./operations.ts";

/** Sizes at which kernels split their work, with widths that no vector length divides. */
export function largerCases(): Record<string, Arguments> {
  return {
    embed: { table: random("table", 200, 33), ids: integers("ids", 300, 200), dy: random("embed dy", 300, 33) },
    linear: {
      x: random("x", 70, 65),
      weight: random("weight", 130, 65),
      bias: random("bias", 130),
      dy: random("linear dy", 70, 130),
    },
    rmsNorm: { x: random("x", 130, 97), gain: random("gain", 97), epsilon: 1e-5, dy: random("norm dy", 130, 97) },
    "rmsNorm, more rows than one dispatch takes": {
      x: random("x", 66_000, 4),
      gain: random("gain", 4),
      epsilon: 1e-5,
      dy: random("norm dy", 66_000, 4),
    },
    rotary: {
      x: random("x", 61, 7 * 10),
      cos: random("cos", 61, 5),
      sin: random("sin", 61, 5),
      heads: 7,
      dy: random("rotary dy", 61, 70),
    },
    "rotary, part of each head": {
      x: random("x", 61, 7 * 12),
      cos: random("cos", 61, 5),
      sin: random("sin", 61, 5),
      heads: 7,
      dy: random("rotary dy", 61, 84),
    },
    layerNorm: {
      x: random("x", 130, 97),
      gain: random("gain", 97),
      bias: random("bias", 97),
      epsilon: 1e-5,
      dy: random("norm dy", 130, 97),
    },
    splitColumns: { x: random("x", 70, 65), widths: [32, 1, 20, 12], dy: random("split dy", 70, 65) },
    softCap: { x: random("x", 67, 129), cap: 0.7, dy: random("cap dy", 67, 129) },
    ...Object.fromEntries(
      ["silu", "gelu", "gelu-tanh"].flatMap((activation) => [
        [`activate, ${activation}`, { x: random("gate", 67, 129), activation, dy: random("activation dy", 67, 129) }],
        [
          `gatedUnit, ${activation}`,
          {
            gate: random("gate", 67, 129),
            up: random("up", 67, 129),
            activation,
            dy: random("activation dy", 67, 129),
          },
        ],
      ]),
    ),
    "causalAttention, ragged": attention("ragged", [0, 140, 141, 163], 4, 2, 7, true),
    "causalAttention, one long row": attention("long", [0, 261], 1, 1, 16, false),
    "causalAttention, a window within a block": {
      ...attention("ragged", [0, 140, 141, 163], 4, 2, 7, true),
      window: 9,
    },
    "causalAttention, a window across blocks": { ...attention("long", [0, 400, 403], 1, 1, 16, true), window: 150 },
    "causalAttention, scale, soft cap and window": {
      ...attention("long", [0, 261, 300], 6, 2, 8, true),
      ...{ scale: 0.5, softCap: 3, window: 131 },
    },
    "causalAttention, soft cap in small rows": { ...attention("small", [0, 5, 9, 10], 2, 1, 7, true), softCap: 2 },
    "gatedAttention, a window across blocks": { ...gated("gated", [0, 300, 311], 2, 1, 9), window: 135 },
    "gatedAttention, scale, soft cap and window": {
      ...gated("gated", [0, 141, 152], 4, 2, 5),
      ...{ scale: 0.7, softCap: 2, window: 20 },
    },
    "attentionSums, scale, soft cap and window": {
      q: random("sums q", 150, 4 * 6),
      k: random("sums k", 150, 2 * 6),
      weights: [...normal("sums weights", 150)].map(Math.abs),
      ...{ heads: 4, keyValueHeads: 2, scale: 0.5, softCap: 2, window: 40 },
    },
    "attentionPeaks, blocks of queries, soft cap and window": {
      q: random("peaks q", 220, 4 * 6),
      k: random("peaks k", 220, 2 * 6),
      queries: Array.from({ length: 220 }, (_, i) => Number(i % 5 > 0)),
      ...{ starts: [0, 20, 220], reach: [1, 4], of: "peak" },
      ...{ heads: 4, keyValueHeads: 2, scale: 0.5, softCap: 2, window: 40 },
    },
    "raggedAttention, scale and soft cap": {
      q: random("q", 3, 6 * 9),
      keys: random("ragged keys", 120, 9),
      values: random("ragged values", 120, 9),
      firsts: [0, 33, 40, 41, 60, 90],
      lengths: [33, 7, 1, 19, 30, 30],
      ...{ heads: 6, keyValueHeads: 2, scale: 0.6, softCap: 1.5 },
    },
    "cachedAttention, from a later entry on, capped": {
      q: random("q", 5, 6 * 12),
      keys: random("keys", 5, 70, 2 * 12),
      values: random("values", 5, 70, 2 * 12),
      lengths: [70, 1, 33, 64, 2],
      firsts: [3, 0, 32, 7, 0],
      ...{ heads: 6, keyValueHeads: 2, scale: 0.4, softCap: 1.5 },
    },
    cachedAttention: {
      q: random("q", 5, 6 * 9),
      keys: random("keys", 5, 70, 2 * 9),
      values: random("values", 5, 70, 2 * 9),
      lengths: [70, 1, 33, 64, 2],
      heads: 6,
      keyValueHeads: 2,
    },
    "cachedAttention, some rows of the cache": {
      q: random("some q", 3, 6 * 9),
      keys: random("keys", 5, 70, 2 * 9),
      values: random("values", 5, 70, 2 * 9),
      rows: [4, 0, 2],
      lengths: [70, 1, 33],
      heads: 6,
      keyValueHeads: 2,
    },
    writeCache: { cache: random("cache", 3, 5, 7), entries: random("entries", 3, 7), positions: [4, 0, 2] },
    "writeCache, some rows of the cache": {
      cache: random("cache", 3, 5, 7),
      entries: random("some entries", 4, 7),
      positions: [0, 1, 4, 0],
      rows: [2, 2, 0, 1],
    },
    swiglu: { gate: random("gate", 67, 129), up: random("up", 67, 129), dy: random("swiglu dy", 67, 129) },
    "swiglu, rows of whole vectors": {
      gate: random("gate", 66, 132),
      up: random("up", 66, 132),
      dy: random("swiglu dy", 66, 132),
    },
    targetLogProbs: {
      hidden: random("hidden", 90, 33),
      outputEmbedding: random("embedding", 1031, 33),
      targets: integers("targets", 90, 1031),
      dLogProb: [...normal("dLogProb", 90)].map((value, row) => (row % 3 === 1 ? 0 : value)),
    },
    "targetLogProbs, soft cap": {
      hidden: random("hidden", 90, 33),
      outputEmbedding: random("embedding", 5003, 33),
      targets: integers("targets", 90, 5003),
      dLogProb: [...normal("dLogProb", 90)].map((value, row) => (row % 3 === 1 ? 0 : value)),
      softCap: 4,
    },
    adamw: {
      parameter: random("parameter", 41, 53),
      gradients: [random("first gradient", 41, 53), random("second gradient", 41, 53)],
      learningRate: 1e-3,
      weightDecay: 0.01,
      gradientScale: 0.5,
    },
    "adamw, rows of whole vectors": {
      parameter: random("parameter", 40, 52),
      gradients: [random("first gradient", 40, 52)],
      learningRate: 1e-3,
      weightDecay: 0.01,
      gradientScale: 0.5,
    },
    sumOfSquares: { x: random("x", 333, 77) },
  };
}

function random(name: string, ...shape: number[]): PackedTensor {
  return {
    shape,
    values: normal(
      `${name} ${shape.join()}`,
      shape.reduce((a, b) => a * b),
    ),
  };
}

export function attention(
  name: string,
  starts: number[],
  heads: number,
  shared: number,
  width: number,
  prompt: boolean,
) {
  const tokens = starts.at(-1)!;
  const given = {
    q: random(`${name} q`, tokens, heads * width),
    k: random(`${name} k`, tokens, shared * width),
    v: random(`${name} v`, tokens, shared * width),
    dy: random(`${name} dy`, tokens, heads * width),
    starts,
    heads,
    keyValueHeads: shared,
  };
  return prompt ? { ...given, promptKeys: [...integers(name, tokens, 2)] } : given;
}

function gated(name: string, starts: number[], heads: number, shared: number, width: number) {
  const tokens = starts.at(-1)!;
  const gates = random(`${name} gates`, tokens, shared);
  return {
    ...attention(name, starts, heads, shared, width, false),
    gates: { ...gates, values: Float32Array.from(gates.values, (value) => Math.min(1, Math.max(0, value))) },
    evictable: [...integers(name, tokens, 5)].map((value) => Number(value > 0)),
    reach: starts.slice(1).map((_, row) => row + 1),
  };
}
