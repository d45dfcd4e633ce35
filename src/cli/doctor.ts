import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, platform, release } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../system/errors.ts";
import { memoryOfProcess } from "../system/process-memory.ts";
import { formatNumber } from "../report/format.ts";
import {
  engineText,
  listEngines,
  releaseEngine,
  useEngine,
  type EngineInfo,
  type EngineListing,
} from "../tensor/engine.ts";
import { processorName } from "../tensor/engines/processor.ts";
import { defineCommand } from "./command.ts";
import { labelled } from "./layout.ts";

const packages = [
  ...["@tensorflow/tfjs-core", "onnxruntime-node", "koffi", "webgpu", "@tensorflow/tfjs-backend-webgpu"],
  ...["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"],
  ...["apache-arrow", "@huggingface/tokenizers", "@huggingface/jinja"],
];

/** What `doctor` found out. */
interface Findings {
  node: string;
  system: string;
  processor: string;
  cores: number;
  /** What this process can have: a container may be given less than the machine has. */
  memoryGB: { total: number; free: number };
  engines: EngineListing[];
  /** The engine that `auto` takes, running; or why it did not start. */
  engine: EngineInfo | { error: string };
  /** Products of single-precision matrices, in 10^9 multiplications and additions a second. */
  gigaflops?: number;
  /** Sums of two vectors too large for caches, in 10^9 bytes a second read and written. */
  gigabytesPerSecond?: number;
  /** Versions by name; null = not installed. */
  packages: Record<string, string | null>;
}

/** `tokensift doctor`. */
export const doctor = defineCommand({
  usage: "doctor [--json]",
  summary: "Shows what this machine can run. Writes nothing.",
  flags: { json: { type: "boolean", description: "As JSON." } },
  run: async (values, { stdout }) => {
    const findings = await examine();
    stdout.write(values.json ? `${JSON.stringify(findings, null, 2)}\n` : findingsText(findings));
  },
});

async function examine(): Promise<Findings> {
  const engines = await listEngines();
  const gigabytes = (bytes: number): number => Math.round(bytes / 1e8) / 10;
  return {
    node: process.versions.node,
    system: `${platform()} ${release()} (${process.arch})`,
    processor: processorName(),
    cores: availableParallelism(),
    memoryGB: { total: gigabytes(memoryOfProcess()), free: gigabytes(process.availableMemory()) },
    engines,
    ...(await tryEngine()),
    packages: Object.fromEntries(packages.map((name) => [name, installedVersion(name)])),
  };
}

async function tryEngine(): Promise<Pick<Findings, "engine" | "gigaflops" | "gigabytesPerSecond">> {
  try {
    const engine = await useEngine("auto");
    return { engine, gigaflops: await measureProducts(), gigabytesPerSecond: await measureMemory() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { engine: { error: error.message } };
  } finally {
    releaseEngine();
  }
}

/** Products of 512 x 512 matrices. */
async function measureProducts(): Promise<number> {
  const size = 512;
  const matrix = tf.tidy(() => tf.fill([size, size], 0.5));
  const seconds = await fastest(() => tf.matMul(matrix, matrix));
  matrix.dispose();
  return Number(((2 * size ** 3) / seconds / 1e9).toPrecision(3));
}

/** Sums of vectors of 32 MB. */
async function measureMemory(): Promise<number> {
  const size = 2 ** 23;
  const [a, b] = tf.tidy(() => [tf.fill([size], 0.5), tf.fill([size], 0.25)]);
  const seconds = await fastest(() => tf.add(a, b));
  tf.dispose([a, b]);
  return Number(((3 * 4 * size) / seconds / 1e9).toPrecision(3));
}

/** Seconds of the fastest of a few runs, each until a number of its result can be read. */
async function fastest(run: () => tf.Tensor): Promise<number> {
  let best = Infinity;
  const start = performance.now();
  for (let runs = 0; runs < 8 && performance.now() - start < 500; runs++) {
    const began = performance.now();
    const result = run();
    const number = tf.tidy(() => tf.slice(tf.reshape(result, [-1]), 0, 1));
    await number.data();
    best = Math.min(best, performance.now() - began);
    tf.dispose([result, number]);
  }
  return best / 1000;
}

/** Read from the package's folder, as its exports may hide it. */
function installedVersion(name: string): string | null {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, "package.json")).find((path) => existsSync(path));
  return file === undefined ? null : (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function findingsText(findings: Findings): string {
  const { node, system, processor, cores, memoryGB, engines, engine, gigaflops, gigabytesPerSecond } = findings;
  const chosen = "error" in engine ? engine.error : engineText(engine);
  const warning = "error" in engine || engine.warning === undefined ? [] : [["", engine.warning] as const];
  const speed = [
    [gigaflops, "GFLOP/s in matrix products (512 x 512)"] as const,
    [gigabytesPerSecond, "GB/s of memory (sums of 32 MB vectors)"] as const,
  ].flatMap(([value, what]) => (value === undefined ? [] : [["", `${formatNumber(value, 3)} ${what}`] as const]));
  const machine = labelled([
    ["Node", node],
    ["system", system],
    ["processor", `${processor}, ${cores} cores`],
    ["memory", `${memoryGB.total} GB, ${memoryGB.free} GB free`],
  ]);
  const used = labelled([["engine", chosen], ...speed, ...warning]);
  const list = labelled(engines.flatMap((listing) => engineLines(listing)));
  const versions = Object.entries(findings.packages).map(
    ([name, version]) => [name, version ?? "not installed"] as const,
  );
  return [machine, used, `Engines\n\n${list}`, `Packages\n\n${labelled(versions)}`].join("\n");
}

function engineLines(listing: EngineListing): [string, string][] {
  const { name } = listing;
  if (!listing.available)
    return [
      [name, `does not run: ${listing.reason}`],
      ["", listing.fix],
    ];
  const { chosen, gpu, device, provider, warning } = listing;
  const note = chosen ? ", chosen by auto" : "";
  const lines: [string, string][] = [[name, `runs on the ${gpu ? "GPU" : "CPU"} (${device}) by ${provider}${note}`]];
  if (warning !== undefined) lines.push(["", warning]);
  return lines;
}
