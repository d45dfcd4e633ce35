import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeConfig } from "../small-run.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Four steps of noisy gates and an adapter with dropout, and of the adapter alone, in `folder`. */
export function writeGates(folder: string, changes: object = {}): string {
  const data = join(root, "datasets/distracted-problems");
  return writeConfig(folder, {
    model: join(root, "models/tiny"),
    data: {
      train: join(data, "train.arrow"),
      limit: 8,
      validation: join(data, "validation.arrow"),
      validationLimit: 2,
      maxTokens: 200,
      cache: join(folder, "cache"),
    },
    gates: { relaxation: "gumbel", learningRate: 0.1, initialKeep: 0.6 },
    eviction: { target: 0.3 },
    adapter: { rank: 2, dropout: 0.1 },
    training: { steps: 4, batchSize: 2, microBatchSize: 1, learningRate: 1e-3, saveEvery: 2, evaluateEvery: 2 },
    evaluation: { samples: 2, maxNewTokens: 4, baselines: ["h2o", "key-diff"] },
    report: { rows: "changed" },
    ...changes,
  });
}

/** What a run must leave to the byte, its summaries but for times. */
export function gateResults(output: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const arm of ["", "control"]) {
    const digest = (file: string): void => {
      const path = join(output, arm, file);
      if (existsSync(path)) found[join(arm, file)] = createHash("sha256").update(readFileSync(path)).digest("hex");
    };
    for (const file of ["metrics.jsonl", "evaluation.jsonl", "problems.jsonl"])
      found[join(arm, file)] = readFileSync(join(output, arm, file), "utf8");
    for (const file of [
      "gates/gates.safetensors",
      "adapter/adapter_model.safetensors",
      "model/model.safetensors",
      "tokens.json",
      "answers.json",
    ])
      digest(file);
    const summary = readFileSync(join(output, arm, "summary.json"), "utf8");
    found[join(arm, "summary.json")] = summary.replaceAll(/"(seconds|tokensPerSecond)": [^\n]*/g, "");
  }
  return found;
}
