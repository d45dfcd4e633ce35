import { createInterface } from "node:readline";
import type { Ready } from "./side.ts";

/** What a benchmark's process does. A round is timed as a whole, unless it gives `seconds` and `cpuSeconds` itself. */
export interface Contender extends Ready {
  round(request: never): Promise<Record<string, unknown>>;
}

/** Answers JSON lines on the standard input until it ends. */
export async function serve({ round, ...ready }: Contender): Promise<void> {
  const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
  say(ready);
  for await (const line of createInterface({ input: process.stdin })) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const figures = await round(JSON.parse(line) as never);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1e6;
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    say({ seconds, cpuSeconds, wholeCpuSeconds: cpuSeconds, peakBytes, ...figures });
  }
}

/** Calls `body` until `leastSeconds` have passed; seconds of one call. */
export async function timePerCall(leastSeconds: number, body: () => void | Promise<void>) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  do {
    await body();
    calls++;
    elapsed = (performance.now() - start) / 1000;
  } while (elapsed < leastSeconds);
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: elapsed / calls, cpuSeconds: (user + system) / 1e6 / calls };
}
