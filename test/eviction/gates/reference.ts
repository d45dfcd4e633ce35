import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";

type Named = Record<string, number[]>;

/** Made by `test/fixtures/eviction/attention.py`. */
export const reference = JSON.parse(
  readFileSync(new URL("../../fixtures/eviction/attention.json", import.meta.url), "utf8"),
) as {
  heads: number;
  keyValueHeads: number;
  headSize: number;
  starts: number[];
  reach: number[];
  cases: {
    name: string;
    evictable: number[];
    q: number[];
    k: number[];
    v: number[];
    gates: number[];
    dy: number[];
    expected: Named;
  }[];
  prefix: { heads: number; until: number[]; q: number[]; k: number[]; v: number[]; dy: number[]; expected: Named };
  width: number;
  gateHeads: number;
  gateHeadSize: number;
  inner: number;
  input: number[];
  networks: {
    kind: "attention" | "linear" | "mlp";
    scope: "causal" | "global";
    weights: Named;
    dProbability: number[];
    probability: number[];
    dWeights: Named;
  }[];
};

/** A matrix with a row for every packed token. */
export function matrix(values: ArrayLike<number>, rows = reference.starts.at(-1)!): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(values), [rows, values.length / rows]);
}
