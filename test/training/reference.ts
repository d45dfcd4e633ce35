import { afterAll } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenBatch } from "../../src/contract/index.ts";
import { loadModel, type Decoder, type GradientStore, type Model } from "../../src/model/index.ts";
import { releaseEngine, useEngine, type EngineInfo } from "../../src/tensor/engine.ts";
import { flatDataset, type FlatTokens } from "../data/flat-tokens.ts";

export type Case = "tied" | "untied";

/** Rows by role: P prompt, r response, e the response token that ends a turn. */
export interface Rows {
  ids: number[][];
  roles: string[];
}

/** Made by `test/fixtures/training/make.py`. */
export interface Reference extends Rows {
  microBatches: number[][];
  cases: {
    model: Case;
    name: string;
    options: Record<string, unknown>;
    samplesSeen: number;
    ownHistory: boolean;
    loss: number;
    lossAllTokens: number;
    /** Of each row, a mark for every token. */
    kept: string[];
    /** Of each row, of its response tokens. */
    scores: number[][];
    /** Sum and Euclidean norm. */
    gradients: Record<string, [sum: number, norm: number]>;
  }[];
}

const folder = join(import.meta.dirname, "../fixtures/training");

export function fixture(...file: string[]): string {
  return join(folder, ...file);
}

export function readJson<T>(...file: string[]): T {
  return JSON.parse(readFileSync(fixture(...file), "utf8")) as T;
}

let engine: EngineInfo | undefined;
afterAll(releaseEngine);

/** A model of the fixture on the cpu engine. */
export async function openModel(...folder: string[]): Promise<Model> {
  engine ??= await useEngine("cpu", { threads: 1 });
  return loadModel(fixture(...folder));
}

/** The rows that `chosen` names as one right-padded batch, at least `width` wide; row ids are places in `rows`. */
export function batchOf({ ids, roles }: Rows, chosen: readonly number[], width = 0): TokenBatch {
  const padded = Math.max(width, ...chosen.map((b) => ids[b]!.length));
  const flat = (of: (b: number, t: number) => number): number[] =>
    chosen.flatMap((b) => Array.from({ length: padded }, (_, t) => (t < ids[b]!.length ? of(b, t) : 0)));
  return {
    rows: chosen.length,
    width: padded,
    rowIds: Float64Array.from(chosen),
    ids: Int32Array.from(flat((b, t) => ids[b]![t]!)),
    lengths: Int32Array.from(chosen, (b) => ids[b]!.length),
    response: Uint8Array.from(flat((b, t) => Number(roles[b]![t] !== "P"))),
    endOfTurn: Uint8Array.from(flat((b, t) => Number(roles[b]![t] === "e"))),
    columns: {},
  };
}

/** The rows as a tokenized dataset; `columns` flat, in the order of the tokens. */
export function datasetOf({ ids, roles }: Rows, columns: Record<string, Float32Array> = {}): FlatTokens {
  const offsets = ids.reduce((ends, row) => [...ends, ends.at(-1)! + row.length], [0]);
  const flatRoles = [...roles.join("")];
  return flatDataset({
    rowIds: Float64Array.from(ids.keys()),
    offsets: Float64Array.from(offsets),
    ids: Int32Array.from(ids.flat()),
    response: Uint8Array.from(flatRoles, (role) => Number(role !== "P")),
    endOfTurn: Uint8Array.from(flatRoles, (role) => Number(role === "e")),
    columns,
    stats: { rows: ids.length, skipped: {}, truncated: 0, tokens: offsets.at(-1)!, responseTokens: 0 },
    fingerprint: "0123456789abcdef".repeat(4),
  });
}

/** Copies of the gradients by parameter name, divided by `mass`. */
export async function gradientsOf(
  { parameters }: Decoder,
  store: GradientStore,
  mass: number,
): Promise<Map<string, Float32Array>> {
  const copies = new Map<string, Float32Array>();
  for (const { name, variable } of parameters) {
    const values = await store.get(variable)?.data<"float32">();
    copies.set(name, values?.map((value) => value / mass) ?? new Float32Array(variable.size));
  }
  return copies;
}

/** Bytes of every weight, by name. */
export async function weightsOf({ parameters }: Decoder): Promise<Record<string, Buffer>> {
  const copies: Record<string, Buffer> = {};
  for (const { name, variable } of parameters)
    copies[name] = Buffer.from((await variable.data<"float32">()).slice().buffer);
  return copies;
}

/** Largest difference, relative to the largest expected value of all. */
export function relativeDistance(
  actual: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): number {
  let [difference, largest] = [0, 0];
  for (const [name, values] of expected) {
    const given = actual.get(name)!;
    if (given.length !== values.length) throw new Error(`${name}: ${given.length} values, expected ${values.length}`);
    values.forEach((value, i) => {
      const off = Math.abs(value - given[i]!);
      if (!(off <= difference)) difference = off;
      largest = Math.max(largest, Math.abs(value));
    });
  }
  return difference / largest;
}

/** Tensors alive on the engine. */
export const tensorCount = (): number => tf.memory().numTensors;
