import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runHere } from "../run-here.ts";

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
  ["finetune", { weight: 0.5 }, "", 0, ""],
  ["finetune", {}, "promptWeight: 0.1, systemWeight: 0, ", 0, ""],
  ["attention-gate", { weight: -0.5 }, "promptWeight: 0.1, ", 0, ""],
  ["oreal", { weight: 1 }, "", 0, ""],
  ["oreal", { weight: 0.5 }, "", 2, "the weight 0.5"],
  ["cdpo", { spans: [{ start: 0, end: 1, weight: 2 }] }, "", 2, "the weight 2"],
  ["cdpo", {}, "promptWeight: 0.1, ", 2, "data.promptWeight"],
  ["oreal", {}, "systemWeight: 0.1, ", 2, "data.systemWeight"],
] as const)("%s, where answers have %j and prompts have %j, ends with %d and says %j", async (...given) => {
  const [name, weight, keys, expected, said] = given;
  const [data, config] = [join(folder, "rows.jsonl"), join(folder, "run.yaml")];
  writeFileSync(data, conversation(weight));
  const lines = [
    `model: ${resolve("models/tiny")}`,
    `data: { train: ${data}, validation: ${data}, maxTokens: 64, ${keys}cache: ${join(folder, "cache")} }`,
    "engine: cpu",
    `output: ${join(folder, "out")}`,
    ...(name === "finetune" || name === "attention-gate" ? ["training: { steps: 1, batchSize: 1 }"] : []),
  ];
  writeFileSync(config, lines.join("\n"));
  const { code, stderr, stdout } = await runHere(name, config, "--dry-run");
  expect({ code, text: stderr + stdout }).toEqual({ code: expected, text: expect.stringContaining(said) });
});
