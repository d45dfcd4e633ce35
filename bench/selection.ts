import type { Flag } from "../src/config/flags.ts";
import type { Signal, Tokens } from "../src/contract/index.ts";
import { hashUniform } from "../src/system/random.ts";
import { namesOf } from "../src/config/catalogue.ts";
import { createFrom, rules } from "../src/selection/index.ts";
import { numberOf } from "./flags.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import { timePerCall, type Contender } from "./harness/serve.ts";
import { bothSides } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";

interface SelectionSettings {
  rows: number;
  width: number;
  threads: number;
  /** A round goes on for so long at least. */
  seconds: number;
}

const flags = {
  rows: { type: "string", value: "N", description: "Rows of the step. Default 16." },
  width: { type: "string", value: "N", description: "Tokens of a row, 60 % of them response. Default 1,024." },
} as const satisfies Record<string, Flag>;

/** What each rule costs: from the signals of a step to the weight of every token. */
export const selection: Benchmark = {
  summary: "Weights by every selection rule, against the same formulas on PyTorch tensors.",
  flags,
  rounds: 5,
  async measure(values, { quick, python, compare }) {
    const rows = numberOf(values, "rows") ?? (quick ? 2 : 16);
    const width = numberOf(values, "width", { minimum: 4 }) ?? (quick ? 16 : 1024);
    const settings: SelectionSettings = { rows, width, threads: 1, seconds: quick ? 0.001 : 0.1 };
    const names = namesOf(rules);
    const results = await compare(
      bothSides("selection", settings, { python }),
      names.map((rule) => ({ rule })),
    );
    return [
      {
        title: `Weights of ${rows} x ${width} tokens, one thread`,
        columns: [{ name: "rule", format: "text" }, ...speedColumns("tokens")],
        rows: results.flatMap((measured, i) =>
          speedRows(measured, { units: rows * width }).map((row) => [names[i]!, ...row]),
        ),
      },
    ];
  },
  contend(settings: SelectionSettings): Promise<Contender> {
    const made = new Map(namesOf(rules).map((method) => [method, createFrom(rules, { method })]));
    const tokens = madeUpTokens(
      settings,
      [...made.values()].flatMap(({ needs }) => needs),
    );
    const context = { step: 100, samplesSeen: 1e6, uniform: (row: number, t: number) => hashUniform(1, row, t) };
    return Promise.resolve({
      about: `tokensift on Node ${process.versions.node}`,
      round: ({ rule }: { rule: string }) =>
        timePerCall(settings.seconds, () => void made.get(rule)!.weigh(tokens, context)),
    });
  },
};

function madeUpTokens({ rows, width }: SelectionSettings, signals: readonly Signal[]): Tokens<Signal> {
  const size = rows * width;
  const slots = Array.from({ length: size }, (_, i) => i % width);
  const values = (seed: number) => Float32Array.from({ length: size }, (_, i) => hashUniform(seed, 0, i));
  return {
    rows,
    width,
    rowIds: Float64Array.from({ length: rows }, (_, row) => row),
    response: Uint8Array.from(slots, (t) => Number(t >= 0.4 * width)),
    endOfTurn: Uint8Array.from(slots, (t) => Number(t === width - 1)),
    signals: Object.fromEntries([...new Set(signals)].map((name, i) => [name, values(i)])) as Tokens<Signal>["signals"],
  };
}
