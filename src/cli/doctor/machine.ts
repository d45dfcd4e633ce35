import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, platform, release } from "node:os";
import { join } from "node:path";
import { memoryOfProcess } from "../../system/process-memory.ts";
import { terminalNumber } from "../../report/format.ts";
import { engineText, listEngines, type EngineListing } from "../../tensor/engine.ts";
import { processorName } from "../../tensor/engines/processor.ts";
import { labelled } from "../layout.ts";
import { tryEngine, type Speed } from "./speed.ts";

const packages = [
  ...["@tensorflow/tfjs-core", "onnxruntime-node", "koffi", "webgpu", "@tensorflow/tfjs-backend-webgpu"],
  ...["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"],
  ...["apache-arrow", "@huggingface/tokenizers", "@huggingface/jinja"],
];

/** What `doctor` found out about the machine. */
export interface Findings extends Speed {
  node: string;
  system: string;
  processor: string;
  cores: number;
  /** What this process can have: a container may be given less than the machine has. */
  memoryGB: { total: number; free: number };
  engines: EngineListing[];
  /** Versions by name; null = not installed. */
  packages: Record<string, string | null>;
}

/** Looks at the machine, starts the engine that `auto` takes, and measures it. */
export async function examine(): Promise<Findings> {
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

/** Read from the package's folder, as its exports may hide it. */
function installedVersion(name: string): string | null {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const file = folders.map((folder) => join(folder, name, "package.json")).find((path) => existsSync(path));
  return file === undefined ? null : (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** For people. */
export function findingsText(findings: Findings): string {
  const { node, system, processor, cores, memoryGB, engines, engine, gigaflops, gigabytesPerSecond } = findings;
  const chosen = "error" in engine ? engine.error : engineText(engine);
  const warning = "error" in engine || engine.warning === undefined ? [] : [["", engine.warning] as const];
  const speed = [
    [gigaflops, "GFLOP/s in matrix products (512 x 512)"] as const,
    [gigabytesPerSecond, "GB/s of memory (sums of 32 MB vectors)"] as const,
  ].flatMap(([value, what]) => (value === undefined ? [] : [["", `${terminalNumber(value, 3)} ${what}`] as const]));
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
