// npx tsx datasets/make-small-sums.ts
//
// Writes datasets/small-sums/*.jsonl, byte for byte the same on every run: sums of two numbers below 30, which a model of a
// hundred million parameters gets right now and then. No sum is in both files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stream } from "../src/system/random.ts";

const folder = join(import.meta.dirname, "small-sums");
const random = stream("small-sums 1");
const sums = Array.from({ length: 28 * 28 }, (_, i) => [2 + Math.floor(i / 28), 2 + (i % 28)] as const);
for (let i = sums.length - 1; i > 0; i--) {
  const j = random.below(i + 1);
  [sums[i], sums[j]] = [sums[j]!, sums[i]!];
}
const lines = (from: number, to: number): string =>
  sums
    .slice(from, to)
    .map(([a, b]) => `${JSON.stringify({ question: `What is ${a} + ${b}?`, answer: `${a} + ${b} = ${a + b}` })}\n`)
    .join("");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "train.jsonl"), lines(0, 400));
writeFileSync(join(folder, "test.jsonl"), lines(400, 500));
