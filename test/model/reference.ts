import "@tensorflow/tfjs-backend-cpu";
import { afterAll } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenBatch } from "../../src/contract/index.ts";
import { createDecoder, decode, type Decoder, type DecoderInput } from "../../src/model/decoder.ts";
import { readStored } from "../../src/model/weights/encoding.ts";
import { openFile } from "../../src/model/weights/file.ts";
import { openWeights } from "../../src/model/weights/index.ts";
import { readSafetensorsHeader } from "../../src/model/weights/safetensors.ts";
import { releaseEngine, useEngine, type EngineName } from "../../src/tensor/engine.ts";
import { causalAttention } from "../../src/tensor/ops/index.ts";
import { engineListings } from "../engines-here.ts";

tf.enableProdMode(); // without it TensorFlow.js prints advice

/** What PyTorch computed; made by `test/fixtures/model/make.py`. Arrays are `[rows][width]`. */
export interface Reference {
  lengths: number[];
  width: number;
  ids: number[][];
  response: number[][];
  weight: number[][];
  logProb: number[][];
  entropy: number[][];
  entropyTop20: number[][];
  concentration: number[][];
  promptAttention: number[][][];
  logits: number[][];
  greedy: { prompt: number[]; ids: number[] }[];
}

export const cases = ["tied", "untied", "llama3"] as const;
export type Case = (typeof cases)[number];

export function fixture(name: Case, ...file: string[]): string {
  return join(import.meta.dirname, "../fixtures/model", name, ...file);
}

export function readReference(name: Case): Reference {
  return JSON.parse(readFileSync(fixture(name, "reference.json"), "utf8")) as Reference;
}

/** The plain definitions on TensorFlow.js' own cpu backend, or one of our engines. */
export type Engine = "plain" | EngineName;

/** The engines that run on this machine; says of each other one that its tests are skipped, and why. */
export function enginesHere(): Engine[] {
  const engines: Engine[] = ["plain"];
  for (const listing of engineListings) {
    if (listing.available) engines.push(listing.name);
    else process.stdout.write(`Model tests on engine ${listing.name} are skipped: ${listing.reason}\n`);
  }
  return engines;
}

let running: { name: EngineName; backend: string } | undefined;

async function chooseEngine(engine: Engine): Promise<void> {
  if (engine !== "plain" && running?.name !== engine) running = await useEngine(engine, { threads: 2 });
  await tf.setBackend(engine === "plain" ? "cpu" : running!.backend);
}

afterAll(releaseEngine); // a GPU keeps the process alive

/** The fixture's model. */
export async function openDecoder(name: Case, engine: Engine = "plain"): Promise<Decoder> {
  await chooseEngine(engine);
  const weights = await openWeights(fixture(name));
  try {
    return await createDecoder(weights.config, weights.read);
  } finally {
    await weights.close();
  }
}

/** Logits of every position of one text, `[ids.length][V]`, by the decoder without cache. */
export async function logitsOf(decoder: Decoder, ids: readonly number[]): Promise<number[][]> {
  const places = Int32Array.from(ids.keys());
  const { heads, keyValueHeads } = decoder.config;
  const starts = Int32Array.of(0, ids.length);
  const logits = tf.tidy(() => {
    const input: DecoderInput = {
      ids: Int32Array.from(ids),
      positions: places,
      attend: (_, q, k, v) => causalAttention(q, k, v, { starts, heads, keyValueHeads }).output,
    };
    return tf.matMul<tf.Tensor2D>(
      decode(decoder, input, places),
      decoder.outputEmbedding as tf.Variable<tf.Rank.R2>,
      false,
      true,
    );
  });
  const rows = await logits.array();
  logits.dispose();
  return rows;
}

/** The gradient of `sum(weight * logProb)` on every parameter, by name. */
export function readGradients(name: Case): Promise<Map<string, Float32Array>> {
  return readTensors(fixture(name, "gradients.safetensors"));
}

/** Every tensor of a safetensors file, by name. */
export async function readTensors(path: string): Promise<Map<string, Float32Array>> {
  const file = await openFile(path);
  const tensors = new Map<string, Float32Array>();
  for (const [key, tensor] of await readSafetensorsHeader(file)) tensors.set(key, await readStored(file, tensor));
  await file.close();
  return tensors;
}

/** Rows of token ids as a right-padded batch. */
export function batchOf(ids: readonly number[][], response: readonly number[][], width = 0): TokenBatch {
  const rows = ids.length;
  const padded = Math.max(width, ...ids.map((row) => row.length));
  const flat = (values: readonly number[][]): number[] =>
    values.flatMap((row) => Array.from({ length: padded }, (_, t) => row[t] ?? 0));
  return {
    rows,
    width: padded,
    rowIds: Float64Array.from(ids.keys()),
    ids: Int32Array.from(flat(ids)),
    lengths: Int32Array.from(ids, (row) => row.length),
    response: Uint8Array.from(flat(response)),
    endOfTurn: new Uint8Array(rows * padded),
    columns: {},
  };
}

/** The fixture's ragged batch, or some of its rows. */
export function referenceBatch({ ids, lengths, response }: Reference, rows = [...ids.keys()]): TokenBatch {
  const cut = (values: number[][]): number[][] => rows.map((row) => values[row]!.slice(0, lengths[row]));
  return batchOf(cut(ids), cut(response));
}

/** Largest absolute difference. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, expected ${expected.length}`);
  return Array.from(actual).reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
}
