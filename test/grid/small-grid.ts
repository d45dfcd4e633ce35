import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Measure } from "../../src/grid/collect/measures.ts";
import { type Cell, cellConfig, cellsOf, type Cells } from "../../src/grid/cells.ts";
import { readGrid } from "../../src/grid/read-grid.ts";

/** A base of ssToken's and a grid over it, in a folder; what is given replaces or adds keys. */
export function writeGrid(folder: string, keys: Readonly<Record<string, unknown>> = {}): string {
  mkdirSync(folder, { recursive: true });
  const base = {
    model: resolve("models/tiny-noisy"),
    data: { train: resolve("datasets/word-problems/train-noisy.arrow"), cache: join(folder, "cache") },
    selection: { method: "sstoken", gamma: 0.25, ratio: 0.6 },
  };
  writeFileSync(join(folder, "base.yaml"), JSON.stringify(base));
  const grid = {
    recipe: "sstoken",
    base: "base.yaml",
    seeds: [1, 2, 3],
    metrics: ["loss"],
    axes: { gamma: { "selection.gamma": [0, 0.25] } },
    output: "out",
    ...keys,
  };
  const file = join(folder, "grid.yaml");
  writeFileSync(file, JSON.stringify(grid));
  return file;
}

export async function openGrid(folder: string, keys: Readonly<Record<string, unknown>> = {}): Promise<Cells> {
  return cellsOf(await readGrid(writeGrid(folder, keys)));
}

/** What a run has measured of one cell. */
export interface FakeRun {
  readonly loss: number;
  readonly [key: string]: unknown;
}

/** Leaves the run folder of a complete run: results, and an evaluation of single rows where lists are given. */
export function writeRun(folder: string, { loss, rowLosses, rowTokens, rowCorrect, noise, ...row }: FakeRun): void {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: unknown) => writeFileSync(join(folder, name), `${JSON.stringify(content)}\n`);
  write("run.json", { format: "tokensift run", version: 1 });
  write("evaluation.jsonl", { step: 4, loss, ...lists({ rowLosses, rowTokens, rowCorrect }) });
  write("metrics.jsonl", { step: 1, keptShare: 0.5, trainedTokens: 10 });
  write("timing.jsonl", { step: 1, seconds: 2, memoryMB: 100 });
  write("summary.json", { seconds: 3, trainedTokens: 40, ...(noise !== undefined && { noise }) });
  write("results.json", { rows: [{ name: "sstoken", loss, ...row }] });
}

/** The same of a cell, with its configuration and others of its keys. */
export function writeCell(cells: Cells, cell: Cell, run: FakeRun, other: Readonly<Record<string, unknown>> = {}): void {
  writeRun(cell.folder, run);
  writeFileSync(join(cell.folder, "config.yaml"), cellConfig(cells, cell, other).resolvedYaml);
}

function lists(given: Readonly<Record<string, unknown>>): object {
  const found = Object.entries(given).filter(([, list]) => Array.isArray(list));
  const rows = (found[0]?.[1] as unknown[] | undefined)?.length ?? 0;
  return rows === 0 ? {} : { rowIds: Array.from({ length: rows }, (_, i) => i), ...Object.fromEntries(found) };
}

/** A measure without single problems. */
export const measured = (value: number): Measure => ({ value });
