import type { Tokens } from "../../src/contract/index.ts";
import type { PreferenceBatch } from "../../src/preference/index.ts";
import { alternatingPairs } from "../../src/preference/index.ts";
import { hashUniform } from "../../src/system/random.ts";
import { makeTokens } from "../selection/tokens.ts";

export interface Made {
  tokens: Tokens;
  logProb: Float32Array;
  forwardKl: Float32Array;
  batch: Required<PreferenceBatch>;
}

/**
 * Alternating pairs of rows written as text (`P` prompt, `r` response, `e` response and end of turn) with made-up
 * numbers on real tokens and, on padding, numbers that would spoil any sum.
 */
export function makePairs(layout: readonly string[], { padding = 0, firstRow = 100, spread = 4 } = {}): Made {
  const tokens = makeTokens(layout, { padding, firstRow });
  const array = (name: number, value: (u: number) => number) =>
    Float32Array.from({ length: tokens.rows * tokens.width }, (_, i) => {
      const [b, t] = [Math.floor(i / tokens.width), i % tokens.width];
      return t < layout[b]!.length ? value(hashUniform(name, firstRow + b, t)) : NaN;
    });
  return {
    tokens,
    logProb: array(1, (u) => -spread * u),
    forwardKl: array(5, (u) => u),
    batch: {
      pairs: alternatingPairs(layout.length / 2),
      reference: array(2, (u) => -spread * u),
      logEstimate: array(3, (u) => Math.log(u + 1e-6)),
      logRatio: array(6, (u) => 4 * u - 2),
      weights: array(4, (u) => 2 * u),
      seed: 1,
    },
  };
}

/** The pair in rows `2 k` and `2 k + 1`, cut to `width`, as a batch of its own. */
export function onePair({ tokens, logProb, forwardKl, batch }: Made, k: number, width: number): Made {
  const cut = <A extends Uint8Array | Float32Array>(array: A): A => {
    const out = array.slice(0, 2 * width) as A;
    for (const half of [0, 1]) {
      const from = (2 * k + half) * tokens.width;
      out.set(array.subarray(from, from + width), half * width);
    }
    return out;
  };
  return {
    tokens: {
      rows: 2,
      width,
      rowIds: tokens.rowIds.slice(2 * k, 2 * k + 2),
      response: cut(tokens.response),
      endOfTurn: cut(tokens.endOfTurn),
      signals: {},
    },
    logProb: cut(logProb),
    forwardKl: cut(forwardKl),
    batch: {
      pairs: alternatingPairs(1),
      reference: cut(batch.reference),
      logEstimate: cut(batch.logEstimate),
      logRatio: cut(batch.logRatio),
      weights: cut(batch.weights),
      seed: batch.seed,
    },
  };
}
