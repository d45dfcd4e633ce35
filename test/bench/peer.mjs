#!/usr/bin/env node
// A peer that says when it was asked. Settings: { turns: FILE, name, dies }
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { turns, name, dies } = JSON.parse(process.argv[3]);
if (dies) {
  console.error("no module named torch");
  process.exit(1);
}
console.log("a line of some library");
console.log(JSON.stringify({ about: `peer ${name}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const { seconds } = JSON.parse(line);
  appendFileSync(turns, name);
  console.log(JSON.stringify({ seconds, cpuSeconds: seconds, wholeCpuSeconds: 0, peakBytes: 1024 }));
}
