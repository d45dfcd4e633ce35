import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startTrainer } from "../small-run.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-data-weights-"));
afterAll(() => rmSync(folder, { recursive: true }));

const conversation = (weight: object): string =>
  `${JSON.stringify({
    messages: [
      { role: "user", content: "How many ropes ?" },
      { role: "assistant", content: "6", ...weight },
    ],
  })}\n`;

test.each([
  ["attention-gate", { weight: 0.5 }, true],
  ["attention-gate", {}, false],
  ["finetune", { weight: 0.5 }, false],
] as const)("%s, where answers have %j, says that weights of the data are not used: %s", async (name, weight, said) => {
  const [data, config] = [join(folder, "rows.jsonl"), join(folder, "run.yaml")];
  writeFileSync(data, conversation(weight));
  const lines = [
    `model: ${resolve("models/tiny")}`,
    `data: { train: ${data}, validation: ${data}, maxTokens: 64, cache: ${join(folder, "cache")} }`,
    "engine: cpu",
    `output: ${join(folder, "out")}`,
    "training: { steps: 1, batchSize: 1 }",
  ];
  writeFileSync(config, lines.join("\n"));
  const { code, stderr, stdout } = await startTrainer(name, config, "--dry-run").ended;
  expect([code, /^Weights that the data give/m.test(stderr + stdout)]).toEqual([0, said]);
});
