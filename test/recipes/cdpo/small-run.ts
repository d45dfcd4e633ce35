import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { smallSolver, writeConfig } from "../small-run.ts";

const root = resolve(import.meta.dirname, "../../..");
const data = join(root, "datasets/word-problems");

/** The first questions and two held-out problems. */
export const smallData = (questions: number) => ({
  train: join(data, "clean-reference.arrow"),
  limit: questions,
  validation: join(data, "validation.arrow"),
  validationLimit: 2,
  maxTokens: 160,
});

/** A few steps of every stage, in `folder`. Answers are drawn in two parts, of 16 questions and one. */
export function writeCdpo(folder: string, changes: object = {}): string {
  const adapter = { rank: 2 };
  return writeConfig(folder, {
    model: smallSolver,
    data: { ...smallData(17), cache: join(folder, "cache") },
    sampling: { samples: 4, maxNewTokens: 20, batchSize: 16 },
    contrast: { adapter, training: { steps: 3, batchSize: 2, learningRate: 1e-3, saveEvery: 2 } },
    align: {
      adapter,
      training: { steps: 4, batchSize: 2, microBatchSize: 1, learningRate: 1e-3, saveEvery: 2 },
    },
    compare: ["tdpo"],
    evaluation: { samples: 1, maxNewTokens: 12 },
    report: { rows: "worst" },
    ...changes,
  });
}

/** What a run must leave to the byte: digests by file. */
export function cdpoResults(output: string): Record<string, string> {
  const names = (readdirSync(output, { recursive: true }) as string[]).sort();
  const kept = names.filter(
    (name) =>
      statSync(join(output, name)).isFile() &&
      /((metrics|problems)\.jsonl|\.safetensors|\.arrow|(results|answers|tokens)\.json|table\.txt|summary\.json|stages\/[^/]*\.json)$/.test(
        name,
      ) &&
      !name.includes("checkpoints"),
  );
  return Object.fromEntries(
    kept.map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(output, name)))
        .digest("hex"),
    ]),
  );
}
