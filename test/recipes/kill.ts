/**
 * Kills runs of `trainers/sstoken.ts` at random moments, continues them, and compares what they leave with an
 * uninterrupted run, byte for byte:
 *
 *     npx tsx test/recipes/kill.ts [kills = 10] [seed = 1]
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stream } from "../../src/system/random.ts";
import { results, runRecipe, startRecipe, writeRecipe, type StartedProcess } from "./small-run.ts";

const [kills = "10", seed = "1"] = process.argv.slice(2);
const base = mkdtempSync(join(tmpdir(), "tokensift-kill-"));
const random = stream(Number(seed), "kill");

const say = (text: string): boolean => process.stdout.write(`${text}\n`);
const output = (name: string): string => join(base, name, "out");

/** Waits until the process has opened the run folder. */
async function whenOpened({ child }: StartedProcess, folder: string): Promise<void> {
  const holds = (): boolean => {
    try {
      return readFileSync(join(folder, ".lock"), "utf8").includes(`"pid":${child.pid!},`);
    } catch {
      return false;
    }
  };
  while (child.exitCode === null && !holds()) await sleep(2);
}

const whole = startRecipe(writeRecipe(join(base, "whole")));
await whenOpened(whole, output("whole"));
const start = Date.now();
await whole.ended;
const duration = Date.now() - start;
const expected = results(output("whole"));
say(`uninterrupted: ${duration} ms`);

let failures = 0;
for (let i = 0; i < Number(kills); i++) {
  const name = `killed-${i}`;
  const own = writeRecipe(join(base, name));
  const story: string[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const resume = existsSync(join(output(name), "run.json")) ? ["--resume"] : [];
    const run = startRecipe(own, ...resume);
    await whenOpened(run, output(name));
    const delay = random.next() * duration;
    const timer = setTimeout(() => run.child.kill("SIGKILL"), delay);
    const { code, signal, stderr } = await run.ended;
    clearTimeout(timer);
    const at = (arm: string): string => {
      const folder = join(output(name), arm, "checkpoints");
      return existsSync(folder) ? readdirSync(folder).sort().join(" ") : "none";
    };
    story.push(`${signal ?? `code ${code}`} after ${Math.round(delay)} ms [${at("")}] [${at("random")}]`);
    if (code !== null && code !== 0) story.push(stderr);
    if (code === 0) break;
  }
  const resume = existsSync(join(output(name), "run.json")) ? ["--resume"] : [];
  const { code, stderr } = await runRecipe(own, ...resume);
  const actual = results(output(name));
  const differing = Object.keys(expected).filter((file) => expected[file] !== actual[file]);
  const all = readdirSync(output(name), { recursive: true }) as string[];
  const leftovers = all.filter((each) => /(^|\/)\.|\.tmp$|\.partial$/.test(each));
  const good = code === 0 && differing.length === 0 && leftovers.length === 0;
  if (!good) failures++;
  say(
    `${good ? "same" : `DIFFERS in ${differing.join(", ")} ${leftovers.join(" ")} (code ${code}) ${stderr}`}: ${story.join("; ")}`,
  );
}
rmSync(base, { recursive: true });
process.exitCode = failures > 0 ? 1 : 0;
