import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenBatch } from "../../src/contract/index.ts";
import { loadAdapter, withAdapter, type Decoder, type GradientStore } from "../../src/model/index.ts";
import type { Parameter } from "../../src/model/decoder.ts";
import { adapterFixture } from "../model/adapters/adapters.ts";
import { batchOf, openDecoder, readTensors, type Case, type Engine } from "../model/reference.ts";

/** A row by role: P prompt, r response. */
export interface Response {
  ids: number[];
  roles: string;
  right: number;
}

/** Made by `test/fixtures/oreal/make.py`. */
export function readOreal<T>(file: string): T {
  return JSON.parse(readFileSync(orealFixture(file), "utf8")) as T;
}

export function orealFixture(file: string): string {
  return join(import.meta.dirname, "../fixtures/oreal", file);
}

export const gradientsOf = (file: string): Promise<Map<string, Float32Array>> => readTensors(orealFixture(file));

/** Rows as one right-padded batch; row ids are `rowIds`. */
export function batchOfRows(rows: readonly Response[], rowIds: readonly number[] = [...rows.keys()]): TokenBatch {
  const response = rows.map(({ roles }) => [...roles].map((role) => Number(role === "r")));
  const batch = batchOf(
    rows.map(({ ids }) => ids),
    response,
  );
  return { ...batch, rowIds: Float64Array.from(rowIds) };
}

/** Values of each row's response, put on its response tokens. */
export function onResponse(batch: TokenBatch, rows: readonly (readonly number[])[]): Float32Array {
  const values = rows.map((row) => [...row]);
  return Float32Array.from(batch.response, (mark, i) => (mark ? values[Math.floor(i / batch.width)]!.shift()! : 0));
}

/** The fixture's model with the adapter that PEFT made for it. */
export async function openAdapted(name: Case, engine: Engine = "plain"): Promise<Decoder> {
  const trunk = await openDecoder(name, engine);
  return withAdapter(trunk, await loadAdapter(adapterFixture(name), trunk));
}

/** Copies of gradients by parameter name, 0 where there are none; frozen parameters are left out. */
export async function storedGradients(
  parameters: readonly Parameter[],
  store: GradientStore,
): Promise<Map<string, Float32Array>> {
  const copies = new Map<string, Float32Array>();
  for (const { name, variable, trainable } of parameters)
    if (trainable) copies.set(name, (await store.get(variable)?.data<"float32">()) ?? new Float32Array(variable.size));
  return copies;
}

/** Those whose names begin with `prefix/`, without it. */
export function under(prefix: string, tensors: ReadonlyMap<string, Float32Array>): Map<string, Float32Array> {
  const own = [...tensors].filter(([name]) => name.startsWith(`${prefix}/`));
  return new Map(own.map(([name, values]) => [name.slice(prefix.length + 1), values]));
}
