import { relative } from "node:path";
import type { FinetuneConfig } from "../config/index.ts";
import type { Model } from "../model/index.ts";

/** Text of a trained model's `README.md`: what it is, from which model and data, and by which command it was made. */
export function modelCard(config: FinetuneConfig, model: Model, steps: number, command: string): string {
  const { selection, training, data } = config;
  const files = typeof data.train === "string" ? [data.train] : data.train;
  const options = Object.entries(selection).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  const shown = (path: string): string => relative(process.cwd(), path) || ".";
  return [
    "---",
    "library_name: transformers",
    "tags: [tokensift]",
    "---",
    "",
    "# A model fine-tuned with tokensift",
    "",
    `- Start: ${config.model === undefined ? model.source : shown(config.model)}`,
    `- Data: ${files.map(shown).join(", ")}`,
    `- Tokens trained: ${options.join(", ")}`,
    ...(config.adapter === undefined ? [] : [`- LoRA adapter: ${JSON.stringify(config.adapter)}`]),
    `- ${steps} steps of ${training.batchSize} rows, learning rate ${training.learningRate}, seed ${training.seed}`,
    "",
    "```",
    command,
    "```",
    "",
  ].join("\n");
}
