import type { Flag } from "../src/config/flags.ts";
import { engineFlags, matmulOf, numberOf, threadCounts } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import type { Measured } from "./harness/compare.ts";
import { bothSides } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import { median } from "./harness/statistics.ts";
import type { Cell, Table } from "./harness/table.ts";
import { modelFlags, modelOf, parameterCount, trainingFlops, type ModelSettings } from "./models.ts";
import type { StepSettings } from "./train-step.ts";

const flags = {
  ...modelFlags,
  rows: { type: "string", value: "N", description: "Rows of a step. Default 4." },
  width: { type: "string", value: "N", description: "Tokens of a row. Default 256." },
  ...engineFlags,
  scaling: { type: "boolean", description: "Widths from 128 to 2,048 and vocabularies from 8,192 to 49,152 instead." },
  profile: { type: "boolean", description: "Also shows where our step spends its time." },
} as const satisfies Record<string, Flag>;

/** One line of comparison. */
interface Case {
  model: ModelSettings;
  rows: number;
  width: number;
  threads: number;
}

/** A full training step: forward, loss on every token, backward, clipping, AdamW. */
export const step: Benchmark = {
  summary: "Full training step against PyTorch eager (transformers, sdpa).",
  flags,
  rounds: 7,
  async measure(values, bench) {
    const cases = values["scaling"] === true ? await scalingCases(values, bench) : await plainCases(values, bench);
    const matmul = matmulOf(values);
    const results: { each: Case; measured: Measured[] }[] = [];
    for (const each of cases) {
      bench.say(`${each.rows} x ${each.width} tokens, vocabulary ${vocabularyOf(each)}, threads: ${each.threads}`);
      const settings: StepSettings = { ...each.model, ...each, arm: "full", promptTokens: 1, matmul };
      const [measured] = await bench.compare(bothSides("step", settings, bench));
      results.push({ each, measured: measured! });
    }
    const rows = results.flatMap(({ each, measured }) => {
      const tokens = each.rows * each.width;
      const work = { units: tokens, flops: trainingFlops(each.model, each.rows, each.width) };
      const first = [`${each.rows} x ${each.width}`, vocabularyOf(each), each.threads];
      return speedRows(measured, work).map((row) => [...first, ...row]);
    });
    const columns: Table["columns"] = [
      { name: "batch", format: "text" },
      { name: "vocabulary", format: "count" },
      { name: "threads", format: "count" },
      ...speedColumns("tokens"),
    ];
    const parameters = (parameterCount(cases[0]!.model) / 1e6).toFixed(1);
    const tables: Table[] = [{ title: `Training step, ${parameters} M parameters`, columns, rows }];
    if (values["profile"] === true) tables.push(await profileTable({ ...cases[0]!, matmul }, bench));
    return tables;
  },
  contend: async (settings: StepSettings) => (await import("./train-step.ts")).contendStep(settings),
};

function vocabularyOf({ model }: Case): number {
  return model.config["vocab_size"] as number;
}

type Values = Parameters<Benchmark["measure"]>[0];

async function plainCases(values: Values, bench: Bench): Promise<Case[]> {
  const model = await modelOf(values, bench.quick);
  const rows = numberOf(values, "rows") ?? (bench.quick ? 2 : 4);
  const width = numberOf(values, "width", { minimum: 2 }) ?? (bench.quick ? 16 : 256);
  return threadCounts(values, bench).map((threads) => ({ model, rows, width, threads }));
}

/** About 1,024 tokens a step in rows of growing width, then a growing vocabulary. */
async function scalingCases(values: Values, bench: Bench): Promise<Case[]> {
  const threads = threadCounts(values, bench).at(-1)!;
  const widths = bench.quick ? [16] : [128, 256, 512, 1024, 2048];
  const vocabularies = bench.quick ? [512] : [16_384, 32_768, 49_152];
  const model = await modelOf(values, bench.quick);
  const tokens = bench.quick ? 32 : 1024;
  const wide = widths.map((width) => ({ model, rows: Math.max(1, tokens / width), width, threads }));
  const large = vocabularies.map(async (vocabulary) => {
    const width = bench.quick ? 16 : 256;
    return { model: await modelOf(values, bench.quick, vocabulary), rows: tokens / width, width, threads };
  });
  return [...wide, ...(await Promise.all(large))];
}

/** Our step by kernel: the median of each kernel's milliseconds, and the rest. */
async function profileTable({ model, ...each }: Case & Pick<StepSettings, "matmul">, bench: Bench): Promise<Table> {
  const settings: StepSettings = { ...model, ...each, arm: "full", promptTokens: 1, profile: true };
  const [measured] = await bench.compare([{ name: "tokensift", program: "ours", benchmark: "step", settings }]);
  const rounds = measured![0]!.rounds;
  const whole = median(rounds.map(({ seconds }) => seconds));
  const kernels = rounds.map((round) => round["kernels"] as Record<string, number>);
  const names = [...new Set(kernels.flatMap((sums) => Object.keys(sums)))];
  const seconds = (name: string): number => median(kernels.map((sums) => (sums[name] ?? 0) / 1000));
  const known = names.map((name) => [name, seconds(name)] as const).toSorted((a, b) => b[1] - a[1]);
  const shown = known.filter(([, time]) => time >= 0.005 * whole);
  const rest = whole - shown.reduce((sum, [, time]) => sum + time, 0);
  const rows: Cell[][] = [...shown, ["everything else", rest] as const].map(([name, t]) => [name, t, t / whole]);
  return {
    title: `Where our step of ${each.rows} x ${each.width} tokens goes, threads: ${each.threads}`,
    columns: [
      { name: "kernel", format: "text" },
      { name: "ms", format: "milliseconds" },
      { name: "share", format: "share" },
    ],
    rows,
  };
}
