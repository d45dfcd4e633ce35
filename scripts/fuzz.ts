// npm run fuzz -- TARGET [--inputs N] [--seed N] [--from N] [--seconds N]
//
// Reads N generated inputs (100,000 unless told otherwise) of one target of test/fuzz/targets.ts, from the number `from` on,
// for at most so many seconds of the processor.
// Every input is a function of the seed and its number: `--seed S --from N --inputs 1` repeats one. Wrong are inputs that
// are neither read nor refused as a person is told, take more than 2 seconds of the processor, or let the process grow by
// more than 200 MB. Each kind of failure is printed once, with what repeats it; then the command ends with 1.
import { spawnSync } from "node:child_process";
import { Worker } from "node:worker_threads";
import { parseArgs } from "node:util";
import { targets, type TargetName } from "../test/fuzz/targets.ts";

const { values, positionals } = parseArgs({
  options: {
    inputs: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    seconds: { type: "string", default: "Infinity" },
  },
  allowPositionals: true,
});
const [name = ""] = positionals;
if (!Object.hasOwn(targets, name)) {
  process.stderr.write(
    `npm run fuzz -- ${Object.keys(targets).join("|")} [--inputs N] [--seed N] [--from N] [--seconds N]\n`,
  );
  process.exit(2);
}
const [wanted, seed, from, limit] = [values.inputs, values.seed, values.from, values.seconds].map(Number) as [
  ...[wanted: number, seed: number, from: number, limit: number],
];
Error.stackTraceLimit = 6; // most of the time would go into traces of refusals
const repeat = (at: number): string => `npm run fuzz -- ${name} --seed ${seed} --from ${at} --inputs 1`;
const target = targets[name as TargetName]();
const atOnce = target.atOnce ?? 1;

const between = 64 - (64 % atOnce); // inputs between two looks at the memory
const mostSeconds = 2;
const { mostGrowth = 200 } = target; // MB
const beats = new Int32Array(new SharedArrayBuffer(8)); // input under way, and whether all are done
const watch = `
  const { workerData: { beats, seconds, repeat } } = require("node:worker_threads");
  const spent = () => process.cpuUsage().user / 1e6;
  let [last, at] = [-1, 0];
  setInterval(() => {
    if (beats[1] === 1) return;
    if (beats[0] !== last) [last, at] = [beats[0], spent()];
    else if (spent() - at > seconds) {
      require("node:fs").writeSync(2, "takes longer than " + seconds + " s: " + repeat.replace("NUMBER", last) + "\\n");
      process.kill(process.pid, "SIGKILL");
    }
  }, 500);`;
const seconds = mostSeconds * atOnce;
const watchdog = new Worker(watch, {
  eval: true,
  workerData: { beats, seconds, repeat: repeat(0).replace("--from 0", "--from NUMBER") },
});
watchdog.unref();

const failures = new Map<string, number>();
function fail(at: number, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  // one kind: the same message but for its numbers and texts, from the same place
  const kind = text
    .slice(0, 2000)
    .replaceAll(/".*"|\d+/g, "")
    .split("\n")
    .slice(0, 3)
    .join("\n");
  const count = failures.get(kind) ?? 0;
  failures.set(kind, count + 1);
  if (count === 0) process.stderr.write(`${repeat(at)}\n${text}\n\n`);
}

const memory = (): number => process.resourceUsage().maxRSS / 1024; // MB that the process had at most so far
const spent = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/**
 * Whether the inputs up to this one let another process grow as well, which has read some hundred others before: garbage that
 * is not collected yet grows, too.
 */
function growsAgain(at: number): boolean {
  if (process.env["FUZZED_AGAIN"] !== undefined) return true;
  const before = Math.min(at - from, 32 * between);
  const flags = ["--seed", `${seed}`, "--from", `${at - before}`, "--inputs", `${before + 1}`];
  const options = { env: { ...process.env, FUZZED_AGAIN: "yes" } };
  return spawnSync(process.execPath, [...process.execArgv, process.argv[1]!, name, ...flags], options).status !== 0;
}

async function read(at: number): Promise<void> {
  try {
    const reading = target.run(seed, at);
    if (reading !== undefined) await reading;
  } catch (error) {
    fail(at, error);
  }
}

const end = from + wanted;
let inputs = wanted;
const warmUp = from + Math.min(2_000, wanted / 2);
const began = spent();
let least = Infinity;
let slowest = { at: from, milliseconds: 0 };
for (let at = from; at < end; at += atOnce) {
  beats[0] = at;
  const start = performance.now();
  if (atOnce === 1) await read(at);
  else await Promise.all(Array.from({ length: Math.min(atOnce, end - at) }, (_, i) => read(at + i)));
  const milliseconds = performance.now() - start;
  if (at >= warmUp && milliseconds > slowest.milliseconds) slowest = { at, milliseconds };
  if (milliseconds > 1000 * seconds) {
    // on a busy machine the clock says little: so it is read once more
    const before = spent();
    await read(at);
    const cpu = spent() - before;
    if (cpu > mostSeconds) fail(at, `it takes ${cpu.toFixed(1)} s of the processor`);
  }
  if (at < warmUp || (at - from) % between !== 0) continue;
  if (spent() - began > limit) {
    inputs = at - from + atOnce;
    break;
  }
  const most = memory();
  if (most - least > mostGrowth) {
    if (growsAgain(at))
      fail(at, `with one of the last ${between} inputs the process has grown by ${Math.round(most - least)} MB`);
    least = most;
  }
  least = Math.min(least, most);
}
beats[1] = 1;
await target.close?.();
const cpu = spent() - began;
process.stdout.write(
  `${name}: ${inputs} inputs of seed ${seed} in ${Math.round(cpu)} CPU s (${Math.round((cpu / inputs) * 1e6)} µs each); ` +
    `slowest ${slowest.at} with ${Math.round(slowest.milliseconds)} ms; ${Math.round(memory())} MB at most; ` +
    `${[...failures.values()].reduce((sum, count) => sum + count, 0)} failures of ${failures.size} kinds\n`,
);
process.exitCode = failures.size > 0 ? 1 : 0;
