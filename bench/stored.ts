import * as tf from "@tensorflow/tfjs-core";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { ggufEncodings } from "../src/model/weights/dequantize.ts";
import { openFile } from "../src/model/weights/file.ts";
import { ggufEncoders } from "../src/model/weights/quantize.ts";
import { normalValues, stream } from "../src/system/random.ts";
import { useEngine, engineText } from "../src/tensor/engine.ts";
import { linears, storedLinearsGradient } from "../src/tensor/ops/linear.ts";
import type { Weight } from "../src/tensor/stored-weight.ts";
import { numberOf } from "./flags.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import { timePerCall, type Contender } from "./harness/serve.ts";
import { median } from "./harness/statistics.ts";
import type { Cell } from "./harness/table.ts";

const flags = {
  rows: { type: "string", value: "LIST", description: "Rows of a product. Default 1,16,128,512." },
  threads: { type: "string", value: "N", description: "Threads. Default 1." },
} as const satisfies Record<string, Flag>;

type Kind = "float32" | "bf16" | "q8_0" | "q4_0";
const kinds: readonly Kind[] = ["float32", "bf16", "q8_0", "q4_0"];
const sizes = [
  [1536, 576],
  [576, 1536],
  [2048, 2048],
  [8192, 2048],
  [2048, 8192],
] as const;

interface ProductRequest {
  size: readonly [outputs: number, inputs: number];
  rows: number;
  backward: boolean;
}

/** Products of frozen weights in their file with those of the same weights in memory, in both directions. */
export const stored: Benchmark = {
  summary: "Products with frozen weights in their file, as bf16, q8_0 and q4_0, against float32 in memory.",
  flags,
  rounds: 7,
  async measure(values, bench) {
    const threads = numberOf(values, "threads") ?? 1;
    const counts = ((values["rows"] as string | undefined) ?? (bench.quick ? "2" : "1,16,128,512"))
      .split(",")
      .map(Number);
    const requests = (bench.quick ? sizes.slice(0, 1) : sizes).flatMap((size) =>
      counts.flatMap((rows) => [false, true].map((backward): ProductRequest => ({ size, rows, backward }))),
    );
    const sides = kinds.map((kind) => ({
      ...{ name: kind, program: "ours", benchmark: "stored", settings: { kind, threads } },
      baseline: kind === "float32",
    }));
    const results = await bench.compare(sides, requests);
    const rows = results.map((measured, i): Cell[] => {
      const { size, rows, backward } = requests[i]!;
      const cpu = measured.map((side) => median(side.rounds.map(({ cpuSeconds }) => cpuSeconds)));
      const rate = (2 * rows * size[0] * size[1]) / cpu[0]! / 1e9;
      return [size.join(" x "), rows, backward ? "dy W" : "x W^T", rate, ...cpu.slice(1).map((own) => cpu[0]! / own)];
    });
    const columns = [
      { name: "weight", format: "text" },
      { name: "rows", format: "count" },
      { name: "product", format: "text" },
      { name: "float32 GFLOP/s", format: "number" },
      { name: "bf16", format: "number" },
      { name: "q8_0", format: "number" },
      { name: "q4_0", format: "number" },
    ] as const;
    return [{ title: `Speed by CPU time, float32 in memory = 1, threads: ${threads}`, columns, rows }];
  },
  contend: contendStored,
};

async function contendStored({ kind, threads }: { kind: Kind; threads: number }): Promise<Contender> {
  const engine = await useEngine("cpu", { threads });
  const folder = mkdtempSync(join(tmpdir(), "tokensift-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const pool = normalValues(2 ** 20, 0.02, stream(1, "stored"));
  const matrix = (rows: number, columns: number): tf.Tensor2D =>
    tf.tensor2d(
      Float32Array.from({ length: rows * columns }, (_, i) => pool[i % pool.length]!),
      [rows, columns],
    );
  const known = new Map<string, Weight>();
  const weightOf = async ([outputs, inputs]: ProductRequest["size"]): Promise<Weight> => {
    const key = `${outputs}-${inputs}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = kind === "float32" ? frozen(matrix(outputs, inputs)) : await write(key, kind, outputs, inputs);
    known.set(key, made);
    return made;
  };
  async function write(name: string, type: Exclude<Kind, "float32">, outputs: number, inputs: number): Promise<Weight> {
    const path = join(folder, name);
    const { code, encode } = ggufEncoders[type];
    const values = Float32Array.from({ length: outputs * inputs }, (_, i) => pool[i % pool.length]!);
    writeFileSync(path, encode(values, name));
    const file = await openFile(path);
    return { kind: "stored", shape: [outputs, inputs], encoding: ggufEncodings.get(code)!, file, offset: 0, head: 0 };
  }
  return {
    about: `tokensift on ${engineText(engine)}`,
    async round({ size, rows, backward }: ProductRequest) {
      const weight = await weightOf(size);
      const input = matrix(rows, size[backward ? 0 : 1]);
      const body = (): void =>
        tf.tidy(() => {
          if (!backward) linears(input, [weight]);
          else if (weight instanceof tf.Tensor) tf.matMul(input, weight);
          else storedLinearsGradient([input], [weight]);
        });
      body();
      const times = await timePerCall(0.1, body);
      input.dispose();
      return times;
    },
  };
}

function frozen(values: tf.Tensor2D): tf.Variable<tf.Rank.R2> {
  return tf.variable(values, false);
}
