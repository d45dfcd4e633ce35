import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { writeArrow } from "../src/data/arrow/write.ts";
import { loadTokens, tokenCachePath } from "../src/data/cache.ts";
import { openDataset, tokenizeDataset } from "../src/data/index.ts";
import { writeTokenFile } from "../src/data/token-file.ts";
import { readModelFacts } from "../src/model/index.ts";
import { packageRoot } from "../src/system/package-root.ts";
import { listOf, threadCounts } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import type { Measured } from "./harness/compare.ts";
import type { Contender } from "./harness/serve.ts";
import type { SideOptions } from "./harness/side.ts";
import { median } from "./harness/statistics.ts";
import type { Cell, Table } from "./harness/table.ts";
import { readQuestions } from "./loader.ts";
import { writeTokenizer } from "./tokenizer-folder.ts";

interface TokenizeSettings {
  /** Holds rows-N.arrow, and the tokenizer's files in `tokenizer/`. */
  folder: string;
  model: string;
  threads: number;
  /** Of the Python sides: whether they write conversations by the chat template, with a mask of the answer. */
  template?: boolean;
}

interface TokenizeRequest {
  /** Rows of text that are tokenized, or tokens of a cache that is opened. */
  rows?: number;
  cached?: number;
}

const root = packageRoot();
const flags = {
  rows: { type: "string", value: "LIST", description: "Rows to tokenize. Default 10000,100000." },
  threads: { type: "string", value: "N", description: "Threads of each side. Default: 1, then all cores." },
  tokens: { type: "string", value: "LIST", description: "Tokens of caches that are opened. Default: 1e6,1e8." },
  data: { type: "string", value: "PATH", description: "Questions with answers to repeat. Default: the shipped ones." },
  model: { type: "string", value: "PATH", description: "Whose tokenizer and chat template. Default: models/tiny." },
} as const satisfies Record<string, Flag>;

/** From an Arrow file of questions and answers to a cache of token ids with a mask. */
export const tokenize: Benchmark = {
  summary: "Rows to a cache of tokens with template and mask, and opening it, against datasets' batched map.",
  flags,
  rounds: 1,
  python: "datasets",
  async measure(values, bench) {
    const folder = mkdtempSync(join(tmpdir(), "tokensift-bench-"));
    try {
      const model = (values["model"] as string | undefined) ?? join(root, "models/tiny");
      const data = (values["data"] as string | undefined) ?? join(root, "datasets/word-problems/pretrain.arrow");
      await writeTokenizer(folder, model);
      const cells: Cell[][] = [];
      for (const rows of sizesOf(listOf(values, "rows"), bench.quick ? [200] : [10_000, 100_000])) {
        const questions = await readQuestions(data, rows);
        const repeated = Array.from({ length: rows }, (_, i) => questions[i % questions.length]!);
        writeArrow(join(folder, `rows-${rows}.arrow`), { question: "utf8", answer: "utf8" }, repeated);
        for (const threads of threadCounts(values, bench)) {
          bench.say(`${rows} rows, threads: ${threads}`);
          const sides = sidesOf({ folder, model, threads }, bench);
          const [measured] = await bench.compare(sides, [{ rows }]);
          cells.push(...rowsOf(measured!, rows, threads));
        }
      }
      return [{ title: "Rows to tokens", columns, rows: cells }, await reopened(values, { folder, model }, bench)];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  contend,
};

const columns: Table["columns"] = [
  { name: "rows", format: "count" },
  { name: "threads", format: "count" },
  { name: "side", format: "text" },
  { name: "tokens", format: "count" },
  { name: "ms", format: "milliseconds" },
  { name: "wall, datasets = 1", format: "number" },
  { name: "CPU ms", format: "milliseconds" },
  { name: "CPU µs/row", format: "number" },
  { name: "CPU, datasets = 1", format: "number" },
  { name: "peak MB", format: "megabytes" },
  { name: "reopening, CPU ms", format: "milliseconds" },
];

function sizesOf(given: readonly string[], otherwise: readonly number[]): number[] {
  return given.length === 0 ? [...otherwise] : given.map(Number);
}

function sidesOf(settings: TokenizeSettings, { python }: Bench): SideOptions[] {
  const ours = { name: "tokensift", program: "ours", benchmark: "tokenize", settings };
  if (python === undefined) return [ours];
  const peer = (name: string, template: boolean): SideOptions => ({
    ...{ name, program: python, benchmark: "tokenize_rows", settings: { ...settings, template } },
    baseline: !template,
  });
  return [ours, peer("datasets", false), peer("datasets, with template and mask", true)];
}

function rowsOf(measured: readonly Measured[], rows: number, threads: number): Cell[][] {
  const of = (side: Measured, name: "seconds" | "cpuSeconds"): number =>
    median(side.rounds.map((round) => round[name]));
  const baseline = measured.find((side) => side.baseline);
  const relative = (side: Measured, name: "seconds" | "cpuSeconds"): number | null =>
    baseline === undefined ? null : of(side, name) / of(baseline, name);
  return measured.map((side) => [
    ...[rows, threads, side.name, side.rounds[0]!["tokens"] as number],
    ...[of(side, "seconds"), relative(side, "seconds")],
    ...[of(side, "cpuSeconds"), (1e6 * of(side, "cpuSeconds")) / rows, relative(side, "cpuSeconds")],
    Math.max(...side.rounds.map(({ peakBytes }) => peakBytes)),
    median(side.rounds.map((round) => round["reopening"] as number)),
  ]);
}

/** Caches of rows of 200 tokens, opened, and 2,000 rows of each read at random. */
async function reopened(
  values: Parameters<Benchmark["measure"]>[0],
  settings: Omit<TokenizeSettings, "threads">,
  bench: Bench,
): Promise<Table> {
  const cells: Cell[][] = [];
  for (const cached of sizesOf(listOf(values, "tokens"), bench.quick ? [1e5] : [1e6, 1e8])) {
    bench.say(`a cache of ${cached} tokens`);
    writeCache(settings.folder, cached);
    const side = { name: "tokensift", program: "ours", benchmark: "tokenize", settings: { ...settings, threads: 1 } };
    const [[measured]] = (await bench.compare([side], [{ cached }])) as [[Measured]];
    const [round] = measured.rounds;
    const figures = ["gigabytes", "reopening", "reading"].map((name) => round![name] as number);
    cells.push([cached, ...figures, round!.peakBytes]);
    rmSync(tokenCachePath(settings.folder, fingerprint));
  }
  const named = [
    { name: "tokens", format: "count" },
    { name: "GB", format: "number" },
    { name: "opening, CPU ms", format: "milliseconds" },
    { name: "2,000 rows, CPU ms", format: "milliseconds" },
    { name: "peak MB", format: "megabytes" },
  ] as const;
  return { title: "Caches that are there", columns: named, rows: cells };
}

const fingerprint = "0".repeat(64);
const rowTokens = 200;

function writeCache(folder: string, tokens: number): void {
  const rows = Math.ceil(tokens / rowTokens);
  const file = writeTokenFile(tokenCachePath(folder, fingerprint));
  const response = new Uint8Array(rowTokens).fill(1, 100);
  const row = { ids: Int32Array.from({ length: rowTokens }, (_, t) => t), response, columns: {} };
  for (let i = 0; i < rows; i++) file.add({ ...row, endOfTurn: new Uint8Array(rowTokens) });
  const stats = { rows, skipped: {}, truncated: 0, tokens: rows * rowTokens, responseTokens: rows * 100 };
  file.commit(
    Float64Array.from({ length: rows }, (_, i) => i),
    Float64Array.from({ length: rows + 1 }, (_, i) => i * rowTokens),
    { fingerprint, stats, largestId: rowTokens },
  );
}

async function contend({ folder, model, threads }: TokenizeSettings): Promise<Contender> {
  const { tokenizer } = await readModelFacts(model);
  return {
    about: `tokensift on Node ${process.versions.node}`,
    async round({ rows, cached }: TokenizeRequest) {
      if (cached !== undefined) return openCache(folder, cached);
      const dataset = await openDataset(join(folder, `rows-${rows}.arrow`));
      const cacheFolder = mkdtempSync(join(folder, "ours-"));
      const [cpu, start] = [cpuSeconds(), performance.now()];
      const { stats } = await tokenizeDataset(dataset, tokenizer, { cacheFolder, threads });
      const seconds = (performance.now() - start) / 1000;
      const again = cpuSeconds();
      (await tokenizeDataset(dataset, tokenizer, { cacheFolder, threads })).row(0);
      const reopening = cpuSeconds() - again;
      await dataset.close();
      return { tokens: stats.tokens, seconds, cpuSeconds: again - cpu, reopening };
    },
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function openCache(folder: string, tokens: number): Record<string, unknown> {
  const start = cpuSeconds();
  const opened = loadTokens(folder, fingerprint, (notice) => process.stderr.write(`${notice}\n`), 1 << 26)!;
  const reopening = cpuSeconds() - start;
  let ids = 0;
  for (let i = 0; i < 2000; i++) ids += opened.row((i * 7919) % opened.length).ids.length;
  const reading = cpuSeconds() - start - reopening;
  return { ids, reopening, reading, gigabytes: (6 * tokens) / 1e9 };
}
