import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { openDataset, tokenizeDataset } from "../src/data/index.ts";
import { readModelFacts } from "../src/model/index.ts";
import { UserError } from "../src/system/errors.ts";
import { packageRoot } from "../src/system/package-root.ts";
import { listOf, numberOf } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import type { Measured } from "./harness/compare.ts";
import type { Contender } from "./harness/serve.ts";
import { bothSides } from "./harness/side.ts";
import type { Cell, Table } from "./harness/table.ts";
import { writeTokenizer } from "./tokenizer-folder.ts";

interface MemorySettings {
  /** Holds the files of rows, and the tokenizer's in `tokenizer/`. */
  folder: string;
  model: string;
  threads: number;
}

interface MemoryRequest {
  file: string;
  /** Read every row, or also tokenize it. */
  task: "read" | "tokens";
  /** The first so many rows; all of them by default. */
  rows?: number;
}

const root = packageRoot();
const flags = {
  rows: { type: "string", value: "N", description: "Rows to read and to tokenize. Default 1,000,000." },
  tokenized: { type: "string", value: "N", description: "Tokenize the first N rows only. Default: all of them." },
  gigabytes: {
    type: "string",
    value: "LIST",
    description: "Sizes of larger files that our side reads, such as 1,10. Default: none.",
  },
  folder: { type: "string", value: "PATH", description: "Where the files are written. Default: the temporary folder." },
} as const satisfies Record<string, Flag>;

/** Bytes of a row of the larger files, and their rows that are tokenized too. */
const [LARGE_ROW, LARGE_TOKENIZED] = [4000, 5000];

/** The memory that reading takes: each file and task in a process of its own. */
export const memory: Benchmark = {
  summary: "Peak memory and rows a second of reading and tokenizing large files, against datasets.",
  flags,
  rounds: 1,
  python: "datasets",
  async measure(values, bench) {
    if (bench.python === undefined)
      throw new UserError("missing-option", "Python writes the files that are read", {
        fix: "Name one with pyarrow, datasets and transformers: --python PATH.",
      });
    const folder = mkdtempSync(join((values["folder"] as string | undefined) ?? tmpdir(), "tokensift-bench-"));
    try {
      const model = join(root, "models/tiny");
      await writeTokenizer(folder, model);
      const settings = { folder, model, threads: 1 };
      const rows = numberOf(values, "rows") ?? (bench.quick ? 2000 : 1_000_000);
      const tokenized = numberOf(values, "tokenized") ?? rows;
      const tables = [await againstDatasets(rows, Math.min(rows, tokenized), settings, bench)];
      const sizes = listOf(values, "gigabytes");
      for (const size of sizes) if (!(Number(size) > 0)) throw new UserError("invalid-option", `--gigabytes ${size}`);
      if (sizes.length > 0) tables.push(await overSizes(sizes.map(Number), settings, bench));
      return tables;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  async contend({ folder, model }: MemorySettings): Promise<Contender> {
    const { tokenizer } = await readModelFacts(model);
    return {
      about: `tokensift on Node ${process.versions.node}`,
      async round({ file, task, rows }: MemoryRequest) {
        const dataset = await openDataset(join(folder, file), rows === undefined ? {} : { limit: rows });
        try {
          if (task === "read") {
            let characters = 0;
            for await (const { response } of dataset.rows()) characters += response?.length ?? 0;
            return { rows: dataset.length, characters };
          }
          const cacheFolder = mkdtempSync(join(folder, "ours-"));
          const { stats } = await tokenizeDataset(dataset, tokenizer, { cacheFolder });
          return { rows: dataset.length, tokens: stats.tokens };
        } finally {
          await dataset.close();
        }
      },
    };
  },
};

async function againstDatasets(
  rows: number,
  tokenized: number,
  settings: MemorySettings,
  bench: Bench,
): Promise<Table> {
  const cells: Cell[][] = [];
  const sides = bothSides("memory", settings, { ...bench, called: "Python" });
  for (const kind of ["jsonl", "parquet", "arrow"]) {
    const file = `rows.${kind}`;
    writeRows(settings.folder, bench, { file, rows, bytes: 200 });
    for (const task of ["read", "tokens"] as const) {
      bench.say(`${file}: ${task}`);
      const done = task === "read" ? rows : tokenized;
      const request: MemoryRequest = { file, task, ...(done < rows && { rows: done }) };
      const [measured] = await bench.compare(sides, [request]); // processes of their own
      for (const side of measured!) cells.push([kind, task, side.name, done, ...figuresOf(side, done)]);
    }
    rmSync(join(settings.folder, file));
  }
  const columns = [
    { name: "file", format: "text" },
    { name: "task", format: "text" },
    { name: "side", format: "text" },
    { name: "rows", format: "count" },
    ...FIGURES,
  ] as const;
  return { title: `A file of ${rows} rows of some 200 bytes`, columns, rows: cells };
}

async function overSizes(sizes: readonly number[], settings: MemorySettings, bench: Bench): Promise<Table> {
  const cells: Cell[][] = [];
  for (const size of sizes)
    for (const kind of ["jsonl", "parquet"]) {
      const file = `large.${kind}`;
      const rows = Math.round((size * 1e9) / LARGE_ROW);
      writeRows(settings.folder, bench, { file, rows, bytes: LARGE_ROW });
      const bytes = statSync(join(settings.folder, file)).size;
      for (const task of ["read", "tokens"] as const) {
        bench.say(`${file} of ${size} GB: ${task}`);
        const request: MemoryRequest = { file, task, ...(task === "tokens" && { rows: LARGE_TOKENIZED }) };
        const [measured] = await bench.compare(bothSides("memory", settings, { python: undefined }), [request]);
        const done = request.rows ?? rows;
        for (const side of measured!)
          cells.push([kind, `${(bytes / 1e9).toFixed(1)} GB`, task, done, ...figuresOf(side, done)]);
      }
      rmSync(join(settings.folder, file));
    }
  const columns = [
    { name: "file", format: "text" },
    { name: "size", format: "text" },
    { name: "task", format: "text" },
    { name: "rows", format: "count" },
    ...FIGURES,
  ] as const;
  return { title: `Memory over the size of a file, rows of some ${LARGE_ROW} bytes`, columns, rows: cells };
}

const FIGURES = [
  { name: "rows/s", format: "count" },
  { name: "CPU µs/row", format: "number" },
  { name: "peak MB", format: "megabytes" },
] as const;

function figuresOf({ rounds }: Measured, rows: number): Cell[] {
  const seconds = Math.min(...rounds.map((round) => round.seconds));
  const cpu = Math.min(...rounds.map(({ cpuSeconds }) => cpuSeconds));
  return [rows / seconds, (1e6 * cpu) / rows, Math.max(...rounds.map(({ peakBytes }) => peakBytes))];
}

function writeRows(
  folder: string,
  { python }: Bench,
  { file, rows, bytes }: { file: string; rows: number; bytes: number },
): void {
  const program = join(root, "bench/peers/write_rows.py");
  const { status, stderr } = spawnSync(python!, [program, join(folder, file), String(rows), String(bytes)]);
  if (status !== 0) throw new UserError("process-ended", String(stderr).trim().split("\n").at(-1)!, { where: file });
}
