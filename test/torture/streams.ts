import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RandomStream } from "../../src/system/random.ts";
import type { Round } from "./rounds.ts";
import { commandOf, holderOf, type Program, type Sink } from "./run-process.ts";
import { Broken, lastLines, oneOf, type Subject } from "./subject.ts";

/** A run whose standard error is closed, whose standard output is full, or whose terminal goes: it comes to its end. */
export async function streamsRound(subject: Subject, random: RandomStream, program: Program): Promise<Round> {
  const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;
  return hasScript && random.next() < 0.3 ? lostTerminal(subject, random, program) : lostStreams(subject, random);
}

async function lostStreams(subject: Subject, random: RandomStream): Promise<Round> {
  const sinks: readonly Sink[] = existsSync("/dev/full") ? ["read", "full", "closed"] : ["read", "closed"];
  const [stdout, stderr] = [oneOf(sinks, random), oneOf(sinks, random)];
  const run = subject.start({ stdout, stderr });
  await subject.opened(run);
  await Promise.race([run.ended, sleep(random.next() * 0.8 * subject.whole.milliseconds)]);
  const closes = stderr === "read" && !run.hasEnded();
  if (closes) run.closeError();
  const hangsUp = random.next() < 0.5 && run.send("SIGHUP");
  const { code, signal, hung } = await run.ended;
  if (code !== 0) throw new Broken(`a run without its streams ended with ${hung ? "nothing" : (signal ?? code)}`);
  subject.requireSame({ lostTerminal: true });
  if (stdout !== "read" || stderr !== "read" || hangsUp) requireLog(subject);
  const how = `stdout ${stdout}, stderr ${closes ? "closed on the way" : stderr}${hangsUp ? ", SIGHUP" : ""}`;
  return { story: how, counts: { "lost streams": 1, ...(hangsUp && { SIGHUP: 1 }) } };
}

/** A terminal that is killed: its programs get SIGHUP, and what they write to it fails. */
async function lostTerminal(subject: Subject, random: RandomStream, program: Program): Promise<Round> {
  const { config, output, whole } = subject;
  const command = commandOf({ name: subject.case.recipe, config, program })
    .map((word) => `'${word}'`)
    .join(" ");
  const terminal = spawn("script", ["-qec", `exec ${command}`, "/dev/null"], { stdio: "ignore" });
  const exited = new Promise((resolve) => terminal.on("exit", resolve));
  const start = Date.now();
  const patience = 60_000 + 15 * whole.milliseconds;
  while (holderOf(output) === undefined && terminal.exitCode === null && Date.now() - start < patience) await sleep(10);
  const pid = holderOf(output);
  await Promise.race([exited, sleep(random.next() * 0.8 * whole.milliseconds)]);
  const lost = terminal.exitCode === null && terminal.kill("SIGKILL");
  while (pid !== undefined && isRunning(pid) && Date.now() - start < patience) await sleep(50);
  if (pid === undefined || isRunning(pid)) throw new Broken("a run whose terminal was lost has not come to its end");
  subject.requireSame({ lostTerminal: true });
  if (lost) requireLog(subject);
  return { story: "its terminal was killed", counts: { "lost streams": 1, "lost terminals": Number(lost) } };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function requireLog({ output }: Subject): void {
  const log = join(output, "terminal.log");
  const said = existsSync(log) ? readFileSync(log, "utf8") : "";
  if (!/the run goes on/.test(said)) throw new Broken(`terminal.log does not say what was lost: ${lastLines(said)}`);
}
