import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { UserError } from "../src/system/errors.ts";
import { packageRoot } from "../src/system/package-root.ts";
import { openDataset, tokenizeDataset } from "../src/data/index.ts";
import { writeArrow } from "../src/data/arrow/write.ts";
import { readModelFacts } from "../src/model/index.ts";
import { numberOf } from "./flags.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import type { Measured } from "./harness/compare.ts";
import type { Contender } from "./harness/serve.ts";
import { bothSides } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import type { Cell } from "./harness/table.ts";
import { writeTokenizer } from "./tokenizer-folder.ts";

interface LoaderSettings {
  /** Holds rows.jsonl, rows.arrow, and the tokenizer's files in `tokenizer/`. */
  folder: string;
  model: string;
  threads: number;
}

interface LoaderRequest {
  file: "rows.jsonl" | "rows.arrow";
  /** Read what an earlier round left behind. */
  cached: boolean;
}

const root = packageRoot();
const flags = {
  rows: { type: "string", value: "N", description: "Rows to read. Default 10,000." },
  data: {
    type: "string",
    value: "PATH",
    description: "Questions and answers to repeat. Default: the shipped problems.",
  },
  model: { type: "string", value: "PATH", description: "Whose tokenizer and chat template. Default: models/tiny." },
} as const satisfies Record<string, Flag>;

/** From a data file to token ids with a mask of the response, by the model's chat template. */
export const loader: Benchmark = {
  summary: "Rows of JSON Lines and Arrow to tokens, against datasets and tokenizers.",
  flags,
  rounds: 3,
  async measure(values, bench) {
    const folder = mkdtempSync(join(tmpdir(), "tokensift-bench-"));
    try {
      const count = numberOf(values, "rows") ?? (bench.quick ? 100 : 10_000);
      const model = (values["model"] as string | undefined) ?? join(root, "models/tiny");
      const data = (values["data"] as string | undefined) ?? join(root, "datasets/word-problems/pretrain.arrow");
      await writeFolder(folder, data, model, count);
      const requests: LoaderRequest[] = (["rows.jsonl", "rows.arrow"] as const).flatMap((file) =>
        [false, true].map((cached) => ({ file, cached })),
      );
      const settings: LoaderSettings = { folder, model, threads: 1 };
      const sides = bothSides("loader", settings, { ...bench, called: "Python" });
      const results = await bench.compare(sides, requests);
      const rows = results.flatMap((measured, i) => rowsOf(requests[i]!, measured, count));
      const columns = [
        { name: "file", format: "text" },
        { name: "cache", format: "text" },
        ...speedColumns("rows"),
        { name: "tokens/s", format: "count" },
      ] as const;
      return [{ title: `${count} rows to tokens`, columns, rows }];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  async contend({ folder, model }: LoaderSettings): Promise<Contender> {
    const { tokenizer } = await readModelFacts(model);
    const warm = (file: LoaderRequest["file"]): string => join(folder, `ours-${file}`);
    const load = async (file: LoaderRequest["file"], cacheFolder: string): Promise<number> => {
      const dataset = await openDataset(join(folder, file));
      try {
        return (await tokenizeDataset(dataset, tokenizer, { cacheFolder })).stats.tokens;
      } finally {
        await dataset.close();
      }
    };
    for (const file of ["rows.jsonl", "rows.arrow"] as const) await load(file, warm(file));
    return {
      about: `tokensift on Node ${process.versions.node}`,
      async round({ file, cached }: LoaderRequest) {
        if (cached) return { tokens: await load(file, warm(file)) };
        const cacheFolder = mkdtempSync(join(folder, "cold-"));
        return { tokens: await load(file, cacheFolder) };
      },
    };
  },
};

function rowsOf({ file, cached }: LoaderRequest, measured: readonly Measured[], count: number): Cell[][] {
  return speedRows(measured, { units: count }).map((row, side) => {
    const tokens = measured[side]!.rounds[0]!["tokens"] as number;
    const perSecond = (tokens * (row[1] as number)) / count;
    return [file.slice("rows.".length), cached ? "yes" : "no", ...row, perSecond];
  });
}

async function writeFolder(folder: string, data: string, model: string, count: number): Promise<void> {
  const known = await readQuestions(data, count);
  const rows = Array.from({ length: count }, (_, i) => known[i % known.length]!);
  writeFileSync(join(folder, "rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  writeArrow(join(folder, "rows.arrow"), { question: "utf8", answer: "utf8" }, rows);
  await writeTokenizer(folder, model);
}

/** Questions with their answers, `most` of them at most. */
export async function readQuestions(data: string, most: number): Promise<{ question: string; answer: string }[]> {
  const dataset = await openDataset(data);
  const rows: { question: string; answer: string }[] = [];
  for await (const { messages } of dataset.rows()) {
    if (rows.length === most) break;
    const [question, answer] = [messages?.[0], messages?.at(-1)];
    if (question !== undefined && answer !== undefined && question !== answer)
      rows.push({ question: question.content ?? "", answer: answer.content ?? "" });
  }
  await dataset.close();
  if (rows.length === 0) throw new UserError("no-rows", "there are no questions with answers", { where: data });
  return rows;
}
