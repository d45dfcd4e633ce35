import type { Flag } from "../src/config/flags.ts";
import { UserError } from "../src/system/errors.ts";
import type { EngineOptions } from "../src/tensor/engine.ts";
import { engineFlags, matmulOf, threadCounts } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import { bothSides } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import type { Table } from "./harness/table.ts";

export interface OpsSettings {
  rows: number;
  width: number;
  hidden: number;
  heads: number;
  feedForward: number;
  vocabulary: number;
  /** Tokens of the one row of `attentionLong`. */
  longWidth: number;
  threads: number;
  matmul: NonNullable<EngineOptions["matmul"]>;
  /** A round goes on for so long at least. */
  seconds: number;
  /** Says nothing about speed. */
  quick: boolean;
}

/** What an operation must compute, or else read and write, forward and backward; the same for every side. */
interface OperationWork {
  flops?: number;
  bytes?: number;
}

/** The work of each operation; both sides know its name. */
const work: Readonly<Record<string, (shape: OpsSettings & { tokens: number }) => OperationWork>> = {
  linear: ({ tokens, hidden, feedForward }) => ({ flops: 6 * tokens * hidden * feedForward }),
  attention: ({ rows, width, hidden }) => ({ flops: 6 * rows * width * width * hidden }),
  attentionLong: ({ longWidth, hidden }) => ({ flops: 6 * longWidth * longWidth * hidden }),
  targetLogProbs: ({ tokens, hidden, vocabulary }) => ({ flops: 6 * tokens * hidden * vocabulary }),
  rmsNorm: ({ tokens, hidden }) => ({ bytes: 4 * 5 * tokens * hidden }),
  swiglu: ({ tokens, feedForward }) => ({ bytes: 4 * 8 * tokens * feedForward }),
  rotary: ({ tokens, hidden }) => ({ bytes: 4 * 4 * tokens * hidden }),
  embed: ({ tokens, hidden, vocabulary }) => ({ bytes: 4 * (3 * tokens + vocabulary) * hidden }),
  adamw: ({ hidden, vocabulary }) => ({ bytes: 4 * 7 * vocabulary * hidden }),
  sumOfSquares: ({ hidden, vocabulary }) => ({ bytes: 4 * vocabulary * hidden }),
};

const operationNames: readonly string[] = Object.keys(work);

function operationWork(name: string, settings: OpsSettings): OperationWork {
  return work[name]!({ ...settings, tokens: settings.rows * settings.width });
}

const flags = {
  only: { type: "string", value: "NAME", description: "This operation alone." },
  ...engineFlags,
} as const satisfies Record<string, Flag>;

/** Every operation of the decoder, forward and backward, on the shapes of the 13.8 M model. */
export const ops: Benchmark = {
  summary: "Each operation, forward and backward, against PyTorch's.",
  flags,
  rounds: 5,
  async measure(values, bench) {
    const only = values["only"] as string | undefined;
    if (only !== undefined && !operationNames.includes(only))
      throw new UserError("unknown-benchmark", `there is no operation "${only}"`, {
        fix: `There are ${operationNames.join(", ")}.`,
      });
    const names = only === undefined ? operationNames : [only];
    const tables: Table[] = [];
    for (const threads of threadCounts(values, bench)) {
      const settings: OpsSettings = { ...shapes(bench), threads, matmul: matmulOf(values) };
      const results = await bench.compare(
        bothSides("ops", settings, bench),
        names.map((operation) => ({ operation })),
      );
      const rows = results.flatMap((measured, i) => {
        const { flops, bytes } = operationWork(names[i]!, settings);
        return speedRows(measured, { units: 1, ...(flops === undefined ? {} : { flops }) }).map((row) => {
          const seconds = row[3] as number;
          return [names[i]!, ...row, bytes === undefined ? null : bytes / seconds / 1e9];
        });
      });
      const columns = [
        { name: "operation", format: "text" },
        ...speedColumns("calls"),
        { name: "GB/s", format: "number" },
      ] as const;
      tables.push({ title: `Operations, forward and backward, threads: ${threads}`, columns, rows });
    }
    return tables;
  },
  contend: async (settings: OpsSettings) => (await import("./operations.ts")).contendOps(settings),
};

function shapes({ quick }: Bench): Omit<OpsSettings, "threads" | "matmul"> {
  return quick
    ? {
        rows: 2,
        width: 8,
        hidden: 32,
        heads: 2,
        feedForward: 64,
        vocabulary: 128,
        longWidth: 16,
        seconds: 0.001,
        quick,
      }
    : {
        rows: 4,
        width: 256,
        hidden: 384,
        heads: 6,
        feedForward: 1024,
        vocabulary: 8192,
        longWidth: 2048,
        seconds: 0.2,
        quick,
      };
}
