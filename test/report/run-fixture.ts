import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What one arm's folder holds; numbers follow from these by simple formulas, so that tests can state results. */
export interface ArmFixture {
  method: string;
  steps?: number;
  /** Of 10 response tokens per step, so many are kept. */
  kept?: number;
  /** Loss of step s over all response tokens: `loss + 1 / s`. */
  loss?: number;
  /** Row losses before and after training. */
  before?: (number | null)[];
  after?: (number | null)[];
  correct?: [before: number[], after: number[]];
  rowIds?: number[];
  noise?: { perStep: number; dropped: number };
  summary?: Record<string, unknown> | false;
  metrics?: Record<string, unknown>;
}

export function emptyFolder(): string {
  return mkdtempSync(join(tmpdir(), "tokensift-report-"));
}

export const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** Writes one arm's folder as a training run does. */
export function writeArm(folder: string, arm: ArmFixture): void {
  const { method, steps = 4, kept = 10, loss = 1, before, after, correct, noise, summary, metrics } = arm;
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const step = (s: number) => ({
    ...{ step: s, epoch: s / steps, loss: loss / 2, lossAllTokens: loss + 1 / s, keptShare: kept / 10 },
    ...{ neverKeptShare: 1 - kept / 10, weightSum: kept, gradNorm: 1, learningRate: 0.1, tokens: 30 },
    ...{ responseTokens: 10, keptTokens: kept, trainedTokens: kept * s, samplesSeen: s },
    ...(noise ? { noiseTokens: noise.perStep, noiseDropped: noise.dropped } : {}),
    ...metrics,
  });
  const numbers = Array.from({ length: steps }, (_, i) => i + 1);
  write("metrics.jsonl", lines(numbers.map(step)));
  const time = "2024-02-03T04:05:06.000Z";
  write("timing.jsonl", lines(numbers.map((s) => ({ step: s, seconds: 2, tokensPerSecond: 15, memoryMB: 100, time }))));
  const evaluation = (at: number, rowLosses: (number | null)[], rowCorrect: number[] | undefined) => {
    const found = rowLosses.filter((x) => x !== null);
    const mean = found.reduce((sum, x) => sum + x, 0) / found.length;
    const exactMatch = rowCorrect && rowCorrect.reduce((sum, x) => sum + x, 0) / rowCorrect.length;
    return {
      ...{ step: at, loss: mean, perplexity: Math.exp(mean), tokens: 9, rows: rowLosses.length, rowLosses },
      ...{ rowIds: arm.rowIds ?? rowLosses.map((_, i) => i), rowTokens: rowLosses.map(() => 3) },
      ...(rowCorrect ? { exactMatch, rowCorrect } : {}),
    };
  };
  const evaluations = [before && evaluation(0, before, correct?.[0]), after && evaluation(steps, after, correct?.[1])];
  if (before || after) write("evaluation.jsonl", lines(evaluations.filter((e) => e !== undefined)));
  if (summary !== false)
    write(
      "summary.json",
      JSON.stringify({ method, name: method, warnings: [], engine: "cpu, 1 thread", steps, seconds: 8, ...summary }),
    );
}

export const config = `model: /models/tiny
data: { train: /data/noisy.arrow, validation: /data/held-out.arrow }
selection: { method: sstoken, ratio: 0.6 }
training: { steps: 4, seed: 7, batchSize: 2, learningRate: 0.1 }
compare:
  - { name: full, selection: { method: full } }
  - { name: random, selection: { method: random, ratio: 0.6 } }
`;

/** A run of ssToken with two arms, evaluations, labelled noise and token pictures. */
export function writeRun(): string {
  const folder = emptyFolder();
  const before = [3, 3, 3, 3];
  writeArm(folder, {
    ...{ method: "sstoken", kept: 6, before, after: [1, 1.5, 2, 1.5], noise: { perStep: 2, dropped: 1 } },
    correct: [
      [0, 0, 0, 0],
      [1, 1, 1, 0],
    ],
    metrics: { relRange: 0.5, relMin: -0.25, relMax: 0.25, attentionOnly: 0 },
    summary: { warnings: ["REL hardly varies."] },
  });
  writeArm(join(folder, "random"), {
    ...{ method: "random", kept: 6, loss: 1.5, before, after: [1.5, 2, 2.5, 2], noise: { perStep: 2, dropped: 1 } },
    correct: [
      [0, 0, 0, 0],
      [1, 0, 1, 0],
    ],
  });
  writeArm(join(folder, "full"), {
    ...{ method: "full", loss: 1.2, before, after: [1, 2, 2, 2], noise: { perStep: 2, dropped: 0 } },
    correct: [
      [0, 0, 0, 0],
      [1, 1, 0, 0],
    ],
  });
  writeFileSync(join(folder, "config.yaml"), config);
  writeFileSync(join(folder, "tokens.json"), JSON.stringify({ method: "sstoken", step: 4, rows: [tokenRow()] }));
  return folder;
}

export function tokenRow() {
  return {
    rowId: 12,
    pieces: ["Q", " six", " x", " 31", " ."],
    response: [0, 1, 1, 1, 1],
    weights: [0, 1, 1, 0, 1],
    score: [null, 0.25, 0.75, 0.125, 0.5],
    scoreName: "REL",
    noise: [0, 0, 0, 1, 0],
  };
}
