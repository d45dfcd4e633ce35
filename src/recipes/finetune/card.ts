import type { Model } from "../../model/model.ts";
import { shownFiles, shownPath, type Card } from "../kit/card.ts";
import { countedRows } from "../kit/row-order.ts";
import type { FinetuneConfig } from "./config-schema.ts";

/** What a trained model's `README.md` says: what it is, from which model and data, and by which command it was made. */
export function modelCard(
  config: FinetuneConfig,
  model: Model,
  { steps, ...about }: { steps: number } & Pick<Card, "command" | "chatTemplate">,
): Card {
  const { selection, training, data } = config;
  const options = Object.entries(selection).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return {
    title: "A model fine-tuned with tokensift",
    facts: [
      `Start: ${config.model === undefined ? model.source : shownPath(config.model)}`,
      `Data: ${shownFiles(data.train)}`,
      `Tokens trained: ${options.join(", ")}`,
      ...(config.adapter === undefined ? [] : [`LoRA adapter: ${JSON.stringify(config.adapter)}`]),
      `${steps} steps of ${countedRows(training.batchSize, data)}, learning rate ${training.learningRate}, seed ${training.seed}`,
    ],
    ...about,
  };
}
