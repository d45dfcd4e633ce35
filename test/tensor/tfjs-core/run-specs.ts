/**
 * Runs the specs that TensorFlow.js ships for its operations on the cpu engine, and prints what came of them as JSON in
 * its last line. The specs are ES modules that Node cannot load and that import a build of their own of TensorFlow.js,
 * so this file is bundled with them (`specs.test.ts`), which gives both sides one build.
 *
 * Arguments: who multiplies matrices, "onnxruntime" or "wasm"; and, to run no other specs, a file that lists the full
 * names of some as JSON.
 */
import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { BACKEND, CpuBackend } from "../../../src/tensor/engines/cpu/backend.ts";
import { elementwise } from "../../../src/tensor/engines/cpu/fast/elementwise.ts";
import type { FastKernel } from "../../../src/tensor/engines/cpu/fast/kernel.ts";
import { layout } from "../../../src/tensor/engines/cpu/fast/layout.ts";
import { products } from "../../../src/tensor/engines/cpu/fast/product.ts";
import { reductions } from "../../../src/tensor/engines/cpu/fast/reduce.ts";
import { createMachine } from "../../../src/tensor/engines/cpu/machine.ts";
import type { MatmulChoice } from "../../../src/tensor/engines/cpu/matmul/choose.ts";
import { registerKernels } from "../../../src/tensor/engines/cpu/register.ts";
import { describeSpecs } from "./published-specs.js";

/** What came of the specs. */
export interface SpecReport {
  provider: string;
  passed: number;
  failed: { name: string; message: string }[];
  /** Full names of the specs that had a matrix product computed. */
  withProducts: string[];
  /** Specs that are switched off. */
  pending: string[];
  /** Kernels that no spec called. */
  untested: string[];
  /** Kernels with a faster form of ours that never computed a spec's result. */
  untestedFast: string[];
}

/** Of jasmine, as much as is used here. */
interface Spec {
  fullName: string;
  status: "passed" | "failed" | "pending" | "excluded";
  failedExpectations: { message: string }[];
}
interface Jasmine {
  getEnv(): {
    configure(options: { random: boolean; specFilter(spec: { getFullName(): string }): boolean }): void;
    addReporter(reporter: { specStarted(): void; specDone(spec: Spec): void }): void;
    execute(): Promise<unknown>;
  };
}

const productTable = products as Record<string, FastKernel>;
const fastTables = [elementwise, productTable, layout, reductions] as Record<string, FastKernel>[];
const called = new Set<string>();
const computedFast = new Set<string>();
let hasMultiplied = false;

/** Registers the engine's kernels, each noting that it ran. */
function registerNotedKernels(): void {
  for (const table of fastTables)
    for (const [name, fast] of Object.entries(table))
      table[name] = (call) => {
        const result = fast(call);
        hasMultiplied ||= table === productTable;
        if (result !== undefined) computedFast.add(name);
        return result;
      };
  registerKernels();
  for (const config of tf.getKernelsForBackend(BACKEND)) {
    const { kernelName, backendName, kernelFunc } = config;
    tf.unregisterKernel(kernelName, backendName);
    const noted: tf.KernelFunc = (call) => {
      called.add(kernelName);
      return kernelFunc(call);
    };
    tf.registerKernel({ ...config, kernelFunc: noted });
  }
}

const machine = createMachine(2, process.argv[2] as MatmulChoice);
await machine.ready;
registerNotedKernels();
// Every group of specs takes a new backend and disposes of it; they share one machine.
tf.registerBackend(BACKEND, () => new CpuBackend({ ...machine, dispose: () => undefined }));

const jasmine = (createRequire(import.meta.url)("jasmine-core") as { boot(): Jasmine }).boot();
await describeSpecs({ name: "cpu engine", backendName: BACKEND, isDataSync: true });

const report: SpecReport = {
  provider: machine.provider,
  ...{ passed: 0, failed: [], withProducts: [], pending: [], untested: [], untestedFast: [] },
};
const environment = jasmine.getEnv();
const chosen = process.argv[3] && new Set(JSON.parse(readFileSync(process.argv[3], "utf8")) as string[]);
environment.configure({ random: false, specFilter: (spec) => !chosen || chosen.has(spec.getFullName()) });
environment.addReporter({
  specStarted: () => (hasMultiplied = false),
  specDone({ fullName, status, failedExpectations }) {
    if (status === "excluded") return;
    if (hasMultiplied) report.withProducts.push(fullName);
    const name = fullName.replace(" cpu engine {}", "");
    if (status === "passed") report.passed++;
    else if (status === "failed") report.failed.push({ name, message: failedExpectations[0]?.message ?? "" });
    else report.pending.push(name);
  },
});
await environment.execute();

const registered = tf.getKernelsForBackend(BACKEND).map(({ kernelName }) => kernelName);
report.untested = registered.filter((name) => !called.has(name));
report.untestedFast = fastTables.flatMap((table) => Object.keys(table)).filter((name) => !computedFast.has(name));
machine.dispose();
process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
