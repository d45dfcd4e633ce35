import { isAdapted } from "../../model/adapters/lora.ts";
import { mergeAdapter } from "../../model/adapters/merge.ts";
import { saveAdapter } from "../../model/adapters/peft.ts";
import { saveModel, type Model } from "../../model/model.ts";
import { typeToSave, type WeightsFormat } from "../../model/weights/save.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import { cardText } from "./card.ts";

/** What the card of a trained model says. */
export interface TrainedCard {
  readonly title: string;
  readonly facts: readonly string[];
  readonly command: string;
}

/**
 * Writes the trained model to the run folder; of one with an adapter also that alone, unrounded. The adapter is then
 * merged, for good: neither `model` nor another model over its trunk is to be used any more.
 */
export async function saveTrained(
  run: RunFolder,
  model: Model,
  { title, facts, command }: TrainedCard,
  save: Required<WeightsFormat>,
): Promise<void> {
  const trunk = isAdapted(model) ? (model.trunk as Model) : model;
  if (isAdapted(model)) {
    await saveAdapter(model, run.adapter, { card: cardText(title, facts, command), baseModel: model.source });
    await mergeAdapter(model);
  }
  await saveModel(trunk, run.model, { ...save, card: cardText(title, [...facts, weightsFact(trunk, save)], command) });
}

/** In which numbers the weights are, and whether these are those that were trained. */
export function weightsFact({ parameters, origin }: Pick<Model, "parameters" | "origin">, save: WeightsFormat): string {
  const types = new Set(parameters.map(({ name }) => typeToSave(name, { ...save, origin })));
  if (types.size === 1 && types.has("float32")) return "Weights: float32, as they were trained";
  const why = save.dtype === "as-read" ? " as the model came" : "";
  return (
    `Weights: ${[...types].sort().join(" and ")}${why}. They were trained as float32 and rounded to the nearest when they were ` +
    "saved: what the run measured before that can differ from what this folder gives, in the last digits that it shows. " +
    "`save.dtype: float32` keeps them as they were trained."
  );
}
