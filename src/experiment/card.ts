import { relative } from "node:path";
import type { FinetuneConfig } from "../config/index.ts";
import type { Model } from "../model/index.ts";

/** Text of a trained model's `README.md`: what it is, from which model and data, and by which command it was made. */
export function modelCard(config: FinetuneConfig, model: Model, steps: number, command: string): string {
  const { selection, training, data } = config;
  const options = Object.entries(selection).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return cardText(
    "A model fine-tuned with tokensift",
    [
      `Start: ${config.model === undefined ? model.source : shownPath(config.model)}`,
      `Data: ${shownFiles(data.train)}`,
      `Tokens trained: ${options.join(", ")}`,
      ...(config.adapter === undefined ? [] : [`LoRA adapter: ${JSON.stringify(config.adapter)}`]),
      `${steps} steps of ${training.batchSize} rows, learning rate ${training.learningRate}, seed ${training.seed}`,
    ],
    command,
  );
}

/** A card for the model's page on a hub: a title, facts as a list, the command. */
export function cardText(title: string, facts: readonly string[], command: string): string {
  return [
    "---",
    "library_name: transformers",
    "tags: [tokensift]",
    "---",
    "",
    `# ${title}`,
    "",
    ...facts.map((fact) => `- ${fact}`),
    "",
    "```",
    command,
    "```",
    "",
  ].join("\n");
}

/** A path as seen from the current folder. */
export function shownPath(path: string): string {
  return relative(process.cwd(), path) || ".";
}

export function shownFiles(files: string | readonly string[]): string {
  return [files].flat().map(shownPath).join(", ");
}
