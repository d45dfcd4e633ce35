import type { Flag } from "../src/config/flags.ts";
import { engineFlags, matmulOf, numberOf } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import type { SideOptions } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import type { Cell } from "./harness/table.ts";
import { modelFlags, modelOf } from "./models.ts";
import type { StepSettings } from "./train-step.ts";

const flags = {
  ...modelFlags,
  width: {
    type: "string",
    value: "N",
    description: "Tokens of a row. Default: 256, 1,024 and 2,048, one after the other.",
  },
  threads: { type: "string", value: "N", description: "Threads of each side. Default: all cores." },
  matmul: engineFlags.matmul,
} as const satisfies Record<string, Flag>;

/** Share of a row that is the prompt. */
const PROMPT = 0.4;

/**
 * The same step with token selection, 40 % of each row being the prompt. PyTorch's ssToken step does as the authors'
 * program: attention maps of all layers, logits of every token. Losses of the history model are given to both sides.
 */
export const ssToken: Benchmark = {
  summary: "ssToken step against PyTorch's full step and its ssToken step as published.",
  flags,
  rounds: 5,
  async measure(values, bench) {
    const model = await modelOf(values, bench.quick);
    const asked = numberOf(values, "width", { minimum: 4 });
    const threads = numberOf(values, "threads") ?? (bench.quick ? 1 : bench.cores);
    const matmul = matmulOf(values);
    const widths = asked !== undefined ? [asked] : bench.quick ? [16] : [256, 1024, 2048];
    const rows: Cell[][] = [];
    for (const width of widths) {
      const count = bench.quick ? 2 : Math.max(1, 1024 / width);
      bench.say(`${count} x ${width} tokens, ${threads} threads`);
      const promptTokens = Math.max(1, Math.floor(PROMPT * width));
      const shared = { ...model, rows: count, width, promptTokens, threads, matmul };
      const [measured] = await bench.compare(sidesOf(shared, bench));
      const batch = `${count} x ${width}`;
      rows.push(...speedRows(measured!, { units: count * width }).map((row) => [batch, threads, ...row]));
    }
    const columns = [
      { name: "batch", format: "text" },
      { name: "threads", format: "count" },
      ...speedColumns("tokens"),
    ] as const;
    return [{ title: "Training step with token selection (ratio against PyTorch's full step)", columns, rows }];
  },
  contend: async (settings: StepSettings) => (await import("./train-step.ts")).contendStep(settings),
};

function sidesOf(shared: Omit<StepSettings, "arm">, { python }: Bench): SideOptions[] {
  const ours = (["full", "sstoken", "random"] as const).map((arm) => ({
    name: `tokensift ${arm}`,
    program: "ours",
    benchmark: "sstoken",
    settings: { ...shared, arm },
  }));
  if (python === undefined) return ours;
  const theirs = (name: string, arm: string, baseline: boolean): SideOptions => ({
    name,
    program: python,
    benchmark: "step",
    settings: { ...shared, arm },
    baseline,
  });
  return [...ours, theirs("PyTorch full", "full", true), theirs("PyTorch ssToken as published", "sstoken", false)];
}
