import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { smallSolver, writeConfig } from "../small-run.ts";

const root = resolve(import.meta.dirname, "../../..");

/** Three small iterations of OREAL with learned token weights, and of RLOO, in `folder`. */
export function writeOreal(folder: string, changes: Record<string, object> = {}): string {
  const data = join(root, "datasets/word-problems");
  return writeConfig(folder, {
    model: smallSolver,
    data: {
      train: join(data, "clean-reference.arrow"),
      limit: 24,
      validation: join(data, "validation.arrow"),
      validationLimit: 2,
      maxTokens: 160,
      cache: join(folder, "cache"),
      ...changes["data"],
    },
    objective: { weights: { source: "learned" }, ...changes["objective"] },
    sampling: { questionsPerStep: 5, samples: 4, maxNewTokens: 20, ...changes["sampling"] },
    training: {
      iterations: 3,
      policyFreeze: 1,
      microBatchSize: 8,
      saveEvery: 2,
      evaluateEvery: 2,
      ...changes["training"],
    },
    policy: { learningRate: 1e-4, ...changes["policy"] },
    rewardModel: { learningRate: 1e-2, adapter: { rank: 2, dropout: 0.1 }, ...changes["rewardModel"] },
    evaluation: { maxNewTokens: 20, onTheWay: "losses" },
    report: { rows: "worst", count: 3 },
    compare: ["rloo"],
    ...changes["top"],
  });
}

const digest = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");
const logs = ["metrics.jsonl", "evaluation.jsonl", "problems.jsonl", "tokens.json"];

/** What an arm must leave to the byte (its summary but for the time), by file; of binary files the digest. */
export function orealResults(folder: string): Record<string, string> {
  const trajectories = join(folder, "trajectories");
  const stored = existsSync(trajectories) ? readdirSync(trajectories).map((name) => join("trajectories", name)) : [];
  const weights = ["model", "reward-model", "reward-model/adapter"].flatMap((part) =>
    existsSync(join(folder, part))
      ? readdirSync(join(folder, part))
          .filter((name) => name.endsWith(".safetensors"))
          .map((name) => join(part, name))
      : [],
  );
  const summary = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as object;
  const files = Object.fromEntries(
    [...logs, ...stored.sort(), ...weights.sort()].map((name) => {
      const content = readFileSync(join(folder, name));
      return [name, logs.includes(name) ? content.toString() : digest(content)];
    }),
  );
  return { ...files, "summary.json": JSON.stringify({ ...summary, seconds: undefined }) };
}
