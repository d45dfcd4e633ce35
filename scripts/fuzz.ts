// npm run fuzz -- TARGET [--inputs N] [--seed N]
//
// Reads N generated inputs (100,000 unless told otherwise) of one target: verifier, template, pattern, arrow, safetensors,
// gguf, json or yaml. Ends with 1 at the first that is read in a wrong way or takes longer than 20 seconds; prints counts,
// the slowest input and how far the memory grew.
import { Worker } from "node:worker_threads";
import { parseArgs } from "node:util";
import { targets, type TargetName } from "../test/fuzz/targets.ts";

const { values, positionals } = parseArgs({
  options: { inputs: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
  allowPositionals: true,
});
const [name = ""] = positionals;
if (!Object.hasOwn(targets, name)) {
  process.stderr.write(`npm run fuzz -- ${Object.keys(targets).join("|")} [--inputs N] [--seed N]\n`);
  process.exit(2);
}
const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
const beats = new Int32Array(new SharedArrayBuffer(8)); // input under way, and whether all are done
const watch = `
  const { workerData: beats } = require("node:worker_threads");
  let last = -1;
  setInterval(() => {
    if (beats[0] === last && beats[1] === 0) {
      require("node:fs").writeSync(2, "input " + last + " takes longer than 20 seconds\\n");
      process.kill(process.pid, "SIGKILL");
    }
    last = beats[0];
  }, 20000);`;
const watchdog = new Worker(watch, { eval: true, workerData: beats });
watchdog.unref();

const target = targets[name as TargetName]();
const memory = (): number => process.memoryUsage().rss / 2 ** 20;
let [least, most] = [Infinity, 0];
let slowest = { at: -1, milliseconds: 0 };
for (let at = 0; at < inputs; at++) {
  beats[0] = at;
  const began = performance.now();
  try {
    await target.run(seed, at);
  } catch (error) {
    process.stderr.write(`input ${at} of seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }
  const milliseconds = performance.now() - began;
  if (milliseconds > slowest.milliseconds) slowest = { at, milliseconds };
  if (at % 1000 !== 999) continue;
  most = Math.max(most, memory());
  if (at >= 2_000) least = Math.min(least, memory());
}
beats[1] = 1;
await target.close();
const grown = Number.isFinite(least) ? Math.round(most - least) : 0;
process.stdout.write(
  `${name}: ${inputs} inputs of seed ${seed} read; slowest ${slowest.at} with ${Math.round(slowest.milliseconds)} ms; ` +
    `memory grew by ${grown} MB to ${Math.round(most)} MB\n`,
);
