import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emptyFolder, lines, tokenRow } from "../report/run-fixture.ts";

const time = "2024-02-03T04:05:06.000Z";

/** An arm's logs and summary, `steps` lines of the same numbers. */
function writeLogs(folder: string, steps: number, metrics: object, evaluations: object[], summary?: object): void {
  mkdirSync(folder, { recursive: true });
  const numbers = Array.from({ length: steps }, (_, i) => i + 1);
  writeFileSync(join(folder, "metrics.jsonl"), lines(numbers.map((step) => ({ step, ...metrics }))));
  writeFileSync(join(folder, "timing.jsonl"), lines(numbers.map((step) => ({ step, seconds: 2, memoryMB: 50, time }))));
  if (evaluations.length > 0) writeFileSync(join(folder, "evaluation.jsonl"), lines(evaluations));
  if (summary) writeFileSync(join(folder, "summary.json"), JSON.stringify({ engine: "cpu, 1 thread", ...summary }));
}

const write = (folder: string, name: string, content: object): void =>
  writeFileSync(join(folder, name), JSON.stringify(content));

/** A row of tokens.json. */
export function picturedRow(changes: object = {}) {
  return { ...tokenRow(), noise: [0, 0, 0, 1, 0], weights: [0, 1, 1, 1, 1], ...changes };
}

const learnt: Readonly<Record<string, string>> = {
  base: "nothing: the starting model",
  cdpo: "pairs, wrong answers' tokens weighted by how critical they are",
  control: "control: the same weights, shuffled within each answer",
};

export const cdpoResults = {
  rows: [
    { name: "base", rows: 4, greedy: 0.5, sampled: 0.25, rowCorrect: [1, 1, 0, 0], rowPassRate: [0.5, 0.5, 0, 0] },
    { name: "cdpo", rows: 4, greedy: 0.75, sampled: 0.375, rowCorrect: [1, 1, 1, 0], rowPassRate: [1, 0.5, 0, 0] },
    { name: "control", rows: 4, greedy: 1, sampled: 0.5, rowCorrect: [1, 1, 1, 1], rowPassRate: [1, 1, 0, 0] },
  ].map((row) => ({ ...row, rowIds: [7, 8, 9, 10], learnt: learnt[row.name] })),
  pairs: 12,
  chosen: { meanEstimate: 0.9, criticalShare: 0.05 },
  rejected: { meanEstimate: 0.8, criticalShare: 0.15 },
};

/** A cDPO run of two arms. */
export function writeCdpoRun(): string {
  const folder = emptyFolder();
  const pairs = { loss: 0.6, accuracy: 0.75, rewardMargin: 0.2, chosenReward: 0.1, rejectedReward: -0.1 };
  writeLogs(folder, 0, {}, []);
  writeLogs(join(folder, "cdpo"), 4, { ...pairs, rejectedWeight: 0.1, gradNorm: 1 }, [], { method: "cdpo" });
  writeLogs(join(folder, "control"), 4, { ...pairs, rejectedWeight: 0.1, gradNorm: 1 }, [], { method: "cdpo" });
  for (const which of ["positive", "negative"])
    writeLogs(join(folder, "stages/contrast-models", which), 3, { loss: 0.5, gradNorm: 1 }, []);
  writeFileSync(
    join(folder, "config.yaml"),
    `model: /models/tiny
data: { train: /data/questions.arrow, validation: /data/held-out.arrow }
sampling: { samples: 16 }
contrast: { contrast: 1 }
align: { objective: { method: cdpo, dpoBeta: 1 }, training: { batchSize: 8, learningRate: 0.001, schedule: linear } }
compare:
  - { name: control, objective: { method: cdpo-shuffled } }
training: { seed: 42 }
`,
  );
  write(folder, "results.json", cdpoResults);
  const row = picturedRow({ score: [null, 0.1, 0.2, 0.9, 0], scoreName: "1 − s" });
  const rows = [
    { ...row, side: "rejected", finished: true },
    { ...row, side: "chosen", finished: false },
  ];
  write(folder, "tokens.json", { method: "cdpo", rows });
  return folder;
}

/** An OREAL run with learned and shuffled token weights. */
export function writeOrealRun(): string {
  const folder = emptyFolder();
  const verdicts = { correct: 0.25, wrong: 0.5, unparsable: 0.25, timeout: 0, passRate: 0.25, responses: 8 };
  const questions = { questionsKept: 2, questionsAllWrong: 1, questionsAllRight: 1 };
  const losses = { loss: 0.5, lossPositive: 0.25, lossNegative: 0.25, lossKl: 0, kl: 0.01, gradNorm: 1, entropy: 0.4 };
  const reward = { rewardLoss: 0.6, rewardAccuracy: 0.75, weightMeanRight: 0.5, weightMeanWrong: 0.75 };
  const evaluation = (step: number, rowCorrect: number[], rowPassRate: number[]) => ({
    ...{ step, rows: 4, rowIds: [0, 1, 2, 3], rowCorrect, rowPassRate },
    exactMatch: rowCorrect.reduce((sum, x) => sum + x, 0) / 4,
    passAt1: rowPassRate.reduce((sum, x) => sum + x, 0) / 4,
  });
  const start = evaluation(0, [1, 0, 0, 0], [0.5, 0, 0, 0]);
  const arm = (name: string, more: object, end: object) =>
    writeLogs(join(folder, name), 3, { ...verdicts, ...questions, ...losses, ...more }, [start, end], {
      ...{ method: "oreal", name: name || "oreal", seconds: 6, warnings: [] },
    });
  arm("", {}, evaluation(3, [1, 1, 0, 0], [0.5, 0.5, 0, 0]));
  arm("learned", reward, evaluation(3, [1, 1, 1, 0], [1, 0.5, 0, 0]));
  arm("shuffled", reward, evaluation(3, [1, 0, 0, 0], [0.5, 0, 0, 0]));
  writeFileSync(
    join(folder, "config.yaml"),
    `model: /models/tiny
data: { train: /data/questions.arrow, validation: /data/held-out.arrow }
objective: { preset: recommended, keep: all, weights: { source: none } }
sampling: { questionsPerStep: 4, samples: 2 }
training: { iterations: 3, seed: 7 }
policy: { learningRate: 0.001 }
compare:
  - { name: learned, objective: { preset: recommended, weights: { source: learned } } }
  - { name: shuffled, objective: { preset: recommended, weights: { source: shuffled } } }
`,
  );
  const row = { ...picturedRow({ noise: undefined }), verdict: "correct", reward: 1, advantage: 0.5 };
  const plain = { ...row, score: [null, null, null, null, null], scoreName: "token weight" };
  write(folder, "tokens.json", { method: "oreal", step: 3, rows: [plain] });
  const weighted = { ...plain, score: [null, 0, 0.5, 2, 1], weights: [0, 0, 0.5, 2, 1], verdict: "wrong", reward: 0 };
  for (const name of ["learned", "shuffled"])
    write(join(folder, name), "tokens.json", { method: "oreal", step: 3, rows: [weighted] });
  return folder;
}

export const gateCaches = [
  { model: "gates", cache: "gates", accuracy: 0.5, evicted: 0.5, kept: 0.625, bytes: 625, rowCorrect: [1, 1, 0, 0] },
  { model: "gates", cache: "full", accuracy: 0.75, evicted: 0, kept: 1, bytes: 1000, rowCorrect: [1, 1, 1, 0] },
  { model: "control", cache: "full", accuracy: 0.75, evicted: 0, kept: 1, bytes: 1000, rowCorrect: [1, 0, 1, 1] },
  { model: "control", cache: "h2o", accuracy: 0.25, evicted: 0.5, kept: 0.625, bytes: 625, rowCorrect: [1, 0, 0, 0] },
].map((cache) => ({ ...cache, rows: 4, tokensPerSecond: 100, keptKey: 0.5, keptOthers: 0.25 }));

/** An Attention-Gate run of two layers with two heads, and its control. */
export function writeGateRun(): string {
  const folder = emptyFolder();
  const gates = { evictionLoss: 0.1, target: 0.5, keepShare: 0.75, keepProbability: 0.7 };
  const evaluation = (step: number, more: object = {}) => ({ step, rows: 4, loss: 1 / (1 + step), ...more });
  const decided = { hardLoss: 0.5, softLoss: 0.4, evicted: 0.25, evictedByHead: [[0, 0.25], [0.5, 1]] }; // prettier-ignore
  writeLogs(folder, 4, { loss: 1, nll: 0.9, gradNorm: 1, ...gates }, [evaluation(0, decided), evaluation(4, decided)], {
    ...{ method: "attention-gate", name: "gates", seconds: 8 },
  });
  writeLogs(join(folder, "control"), 4, { loss: 1, nll: 0.8, gradNorm: 1 }, [evaluation(0), evaluation(4)], {
    ...{ method: "attention-gate", name: "control", seconds: 8 },
  });
  writeFileSync(
    join(folder, "config.yaml"),
    `mode: finetune
model: /models/tiny
data: { train: /data/prompts.arrow, validation: /data/held-out.arrow }
gates: { kind: attention, scope: global, sinks: 1, window: 1, learningRate: 0.01 }
eviction: { target: 0.5 }
training: { steps: 4, seed: 7, batchSize: 2, learningRate: 0.1 }
compare: [control]
`,
  );
  write(folder, "results.json", { budget: 0.625, rows: gateCaches });
  const row = picturedRow({
    ...{ response: [0, 1, 1, 1, 0], score: [null, 0.5, 0.75, 0, null], weights: [1, 1, 1, 0, 1] },
    ...{ scoreName: "share of heads that keep it", heads: 2 },
    keptHeads: [
      [2, 2, 2, 0, 2],
      [2, 0, 1, 0, 2],
    ],
  });
  write(folder, "tokens.json", { method: "attention-gate", step: 4, rows: [row] });
  return folder;
}
