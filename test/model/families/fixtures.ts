import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import { families } from "../../../src/model/families/index.ts";
import type { Decoder } from "../../../src/model/index.ts";
import { continuation, type Continuation } from "../../../src/model/generation/continuation.ts";
import { valuesByRow } from "../../../src/model/generation/draws.ts";
import { contiguousCache, type CacheMaker } from "../../../src/model/generation/key-value-cache.ts";
import { batchOf } from "../reference.ts";
import type { TokenBatch } from "../../../src/contract/index.ts";

/** What PyTorch computes of a fixture; made by `test/fixtures/model/families/make.py`. */
export interface Expected {
  rows: { ids: number[]; response: number[] }[];
  /** `[rows][V]`, behind each row. */
  logits: number[][];
  /** `[rows][T]` */
  nll: number[][];
  /** `[rows][T]`, on response tokens. */
  entropy: number[][];
  /** Of two layers, the attention on the prompt `[rows][T]`, on response tokens. */
  promptAttention: { layer: number; mass: number[][] }[];
  /** Continuations, each token with the distance of its logit to the next largest. */
  greedy: { prompt: number[]; ids: number[]; gaps: number[] }[];
}

export interface FamilyFixture {
  name: string;
  /** The `model_type`. */
  family: string;
  /** The model's folder. */
  folder: string;
  expected: Expected;
  /** Texts up to this length are rotated as parts of them are. */
  steadyLength: number;
}

const root = join(import.meta.dirname, "../../fixtures/model/families");

function readFixture(name: string): FamilyFixture {
  const folder = join(root, name);
  const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), "utf8"));
  const config = read("config.json") as {
    model_type: string;
    max_position_embeddings?: number;
    rope_parameters?: { rope_type?: string; original_max_position_embeddings?: number };
  };
  const { rope_type: kind, original_max_position_embeddings: original } = config.rope_parameters ?? {};
  const limits: Record<string, number | undefined> = { dynamic: config.max_position_embeddings, longrope: original };
  const steadyLength = (kind !== undefined && limits[kind]) || Infinity;
  return { name, family: config.model_type, folder, expected: read("reference.json") as Expected, steadyLength };
}

/** The fixtures of all families that can be read. */
export const fixtures: FamilyFixture[] = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => readFixture(name))
  .filter(({ family }) => families.some(({ modelType }) => modelType === family));

/** For `describe.each`. */
export const named = fixtures.map((fixture) => [fixture.name, fixture] as const);

/** Those that attend each in its own way: the others differ from a Llama in angles that no text's length changes. */
export const attending = named.filter(([name]) => !/^llama-(linear|yarn|llama3)/.test(name));

/** The fixture's rows, or some of them, right-padded. */
export function batchOfRows({ expected: { rows } }: FamilyFixture, some = [...rows.keys()]): TokenBatch {
  const own = some.map((row) => rows[row]!);
  return batchOf(
    own.map(({ ids }) => ids),
    own.map(({ response }) => response),
  );
}

/** Rows of numbers as a batch has them, `[rows * width]`. */
export function padded(rows: readonly (readonly number[])[]): Float32Array {
  const width = Math.max(...rows.map((row) => row.length));
  return Float32Array.from(rows.flatMap((row) => Array.from({ length: width }, (_, t) => row[t] ?? 0)));
}

/** Logits behind texts that go through a cache token by token. */
export function logitsBehind(
  model: Decoder,
  rows: number,
  makeCache: CacheMaker = contiguousCache,
): Continuation<Float32Array> & { dispose(): void } {
  const cache = makeCache(model.config, rows);
  return { ...continuation(model, cache, { read: valuesByRow, alone: false }), dispose: () => cache.dispose() };
}

/** `-log p` of a token under logits. */
export function nllOf(logits: Float32Array, id: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) - logits[id]!;
}

/**
 * Takes down the largest errors of each fixture, and throws at one above the limit. Where FAMILY_ERRORS names a folder,
 * they are written into it: docs/data-and-models.md says the largest of all.
 */
export function errorsOf(file: string): (name: string, what: string, error: number, limit: number) => void {
  const worst: Record<string, Record<string, number>> = {};
  afterAll(() => {
    const folder = process.env["FAMILY_ERRORS"];
    if (folder === undefined) return;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${file}.json`), `${JSON.stringify(worst, null, 2)}\n`);
  });
  return (name, what, error, limit) => {
    const own = (worst[name] ??= {});
    own[what] = Math.max(own[what] ?? 0, error);
    if (!(error <= limit)) throw new Error(`${name}: ${what} is off by ${error}, which is more than ${limit}`);
  };
}
