import { oneOf, wholeNumber } from "../src/cli/values.ts";
import type { Flag } from "../src/config/flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";

type Values = Parameters<Benchmark["measure"]>[0];

/** Flags of benchmarks whose sides compute. */
export const engineFlags = {
  threads: { type: "string", value: "N", description: "Threads of each side. Default: 1, then all cores." },
  matmul: { type: "string", value: "NAME", description: "Our products by auto (default), onnxruntime, blas or wasm." },
} as const satisfies Record<string, Flag>;

/** A whole number; undefined if the flag was not given. */
export function numberOf(values: Values, name: string, limits?: { minimum: number }): number | undefined {
  return wholeNumber(name, values[name] as string | undefined, limits);
}

/** What the flag lists between commas; empty if it was not given. */
export function listOf(values: Values, name: string): string[] {
  return ((values[name] as string | undefined) ?? "").split(",").filter((text) => text !== "");
}

export function matmulOf(values: Values) {
  return oneOf("matmul", (values["matmul"] as string | undefined) ?? "auto", ["auto", "onnxruntime", "blas", "wasm"]);
}

/** The flag's threads, else one and then all. */
export function threadCounts(values: Values, bench: Bench): number[] {
  const asked = numberOf(values, "threads");
  if (asked !== undefined) return [asked];
  return bench.quick || bench.cores === 1 ? [1] : [1, bench.cores];
}
