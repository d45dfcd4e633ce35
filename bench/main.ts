// npm run bench -- step | lora | trunk | stored | sstoken | selection | generate | memory | loader | tokenize | ops [flags]
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nearest } from "../src/config/nearest.ts";
import { flagsHelp, parseFlags } from "../src/config/flags.ts";
import { exitCodeOf } from "../src/system/exit-code.ts";
import { wholeNumber } from "../src/cli/values.ts";
import { UserError } from "../src/system/errors.ts";
import { packageRoot } from "../src/system/package-root.ts";
import { benchmarks } from "./benchmarks.ts";
import { compare, foreignShare, type Measured } from "./harness/compare.ts";
import { describeMachine, loadNow } from "./harness/machine.ts";
import { findPython } from "./harness/python.ts";
import { commandOf, recordRun } from "./harness/record.ts";
import { tableText } from "./harness/table.ts";

const commonFlags = {
  quick: { type: "boolean", description: "Tiny sizes: shows that it runs, says nothing about speed." },
  rounds: { type: "string", value: "N", description: "Rounds of each side, taken in turns." },
  python: {
    type: "string",
    value: "PATH",
    description:
      "A Python with torch (memory, tokenize: with datasets, lora: with peft), or none. Default: TOKENSIFT_PYTHON, python3.",
  },
  json: { type: "string", value: "FILE", description: "Also writes machine, load and figures as JSON." },
  record: { type: "boolean", description: "Also puts the run into bench/RESULTS.md, in place of the same command's." },
  help: { type: "boolean", short: "h", description: "Shows this text." },
} as const;

/** Share of the cores that other processes may take before figures are called unreliable. */
const QUIET = 0.05;

async function run([name, ...rest]: readonly string[]): Promise<void> {
  if (name === undefined || name === "--help" || name === "-h") return void process.stdout.write(await overview());
  if (!Object.hasOwn(benchmarks, name)) {
    const near = nearest(name, Object.keys(benchmarks));
    const fix = near === undefined ? `There are ${Object.keys(benchmarks).join(", ")}.` : `Did you mean ${near}?`;
    throw new UserError("unknown-benchmark", `there is no benchmark "${name}"`, { fix });
  }
  const benchmark = await benchmarks[name]!();
  const flags = { ...benchmark.flags, ...commonFlags };
  const { values, positionals } = parseFlags(rest, flags);
  if (positionals.length > 0)
    throw new UserError("stray-argument", `"${positionals[0]}" stands alone`, { fix: "--help lists the flags." });
  if (values.help === true)
    return void process.stdout.write(
      `${benchmark.summary}\n\n  npm run bench -- ${name} [flags]\n\n${flagsHelp(flags)}\n`,
    );

  const machine = describeMachine();
  const python = findPython(values.python, benchmark.python);
  const rounds = wholeNumber("rounds", values.rounds, { minimum: 1 }) ?? (values.quick === true ? 2 : benchmark.rounds);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const loadBefore = loadNow();
  const notes = python.path === undefined ? [python.reason] : [];
  const all: Measured[] = [];
  const tables = await benchmark.measure(values, {
    quick: values.quick === true,
    python: python.path,
    cores: machine.cores,
    say,
    async compare(sides, requests = [{}]) {
      const onNotice = (text: string): void => void notes.push(text);
      const results = await compare(sides, requests, { rounds, onNotice });
      all.push(...results.flat());
      return results;
    },
  });
  const sides = [...new Set(all.map(({ name, about }) => `${name}: ${about}`))];
  const peaks = peaksText(all);
  if (peaks !== "") sides.push(peaks);
  const foreign = foreignShare(all, machine.cores);
  const load = { before: loadBefore, after: loadNow(), foreignShare: foreign };
  if (foreign !== null && foreign > QUIET) notes.push(busyText(foreign));
  const { processor, cores, memoryGB, system, node } = machine;
  const command = commandOf(name, rest);
  const lines = [
    `${new Date().toISOString().slice(0, 10)}, ${processor}, ${cores} cores, ${memoryGB} GB, ${system}, Node ${node}`,
    `Load average: ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after`,
    `Rounds: ${rounds} of each side in turns, medians`,
    ...sides,
    ...notes,
  ];
  const printed = tables.map(tableText);
  process.stdout.write(`${[command, ...lines].join("\n")}\n\n${printed.join("\n\n")}\n`);
  if (values.record === true) recordRun(join(packageRoot(), "bench/RESULTS.md"), command, lines, printed);
  if (values.json !== undefined) {
    const record = { benchmark: name, arguments: rest, date: new Date().toISOString(), machine, load, rounds };
    writeFileSync(values.json, `${JSON.stringify({ ...record, sides, notes, tables }, null, 2)}\n`);
  }
}

/** The best matrix products that each side's processes measured before they were timed. */
function peaksText(all: readonly Measured[]): string {
  const best = new Map<string, number>();
  for (const { about, peakGflops = 0 } of all) best.set(about, Math.max(peakGflops, best.get(about) ?? 0));
  const known = [...best].filter(([, peak]) => peak > 0).map(([about, peak]) => `${peak.toFixed(0)} by ${about}`);
  return known.length === 0 ? "" : `Best matrix product (1024 x 1024), GFLOP/s: ${known.join("; ")}`;
}

function busyText(share: number): string {
  return (
    `NOT QUIET: other processes took ${Math.round(100 * share)} % of the cores. Wall times of several threads mean ` +
    "nothing then (PyTorch's threads wait for each other in busy loops); compare the CPU times of one thread."
  );
}

async function overview(): Promise<string> {
  const summaries = Object.entries(benchmarks).map(async ([name, load]) => [name, (await load()).summary] as const);
  const lines = (await Promise.all(summaries)).map(([name, summary]) => `  ${name.padEnd(10)} ${summary}`);
  return `npm run bench -- NAME [flags]\n\n${lines.join("\n")}\n\n${flagsHelp(commonFlags)}\n`;
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = exitCodeOf(error, "bench", process.stderr);
}
