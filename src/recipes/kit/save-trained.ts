import { mergeAdapter } from "../../model/adapters/merge.ts";
import { saveMerged } from "../../model/adapters/save-merged.ts";
import { portableBase, saveAdapter } from "../../model/adapters/peft.ts";
import { isAdapted, type Adapted } from "../../model/adapters/with-adapter.ts";
import { saveModel, type Model } from "../../model/model.ts";
import { typeToSave, type WeightsFormat } from "../../model/weights/save.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import { adapterCardText, cardText, type Card } from "./card.ts";

/**
 * Writes the trained model to the run folder; of one with an adapter also that alone, unrounded. The adapter is then
 * merged, for good: neither `model` nor another model over its trunk is to be used any more.
 */
export async function saveTrained(
  run: RunFolder,
  model: Model,
  card: Card,
  save: Required<WeightsFormat>,
): Promise<void> {
  if (isAdapted(model)) {
    await saveAdapter(model, run.adapter, { card: adapterCardText(card, portableBase(model.adapter)) });
    const trunk = model.trunk as Model;
    if (trunk.stored !== undefined) {
      const facts = [...card.facts, weightsFact(trunk, save)];
      await saveMerged(model as Model & Adapted<Model>, run.model, { ...save, card: cardText({ ...card, facts }) });
      return;
    }
  }
  const merged = isAdapted(model) ? ((await mergeAdapter(model)).model as Model) : model;
  const facts = [...card.facts, weightsFact(merged, save)];
  await saveModel(merged, run.model, { ...save, card: cardText({ ...card, facts }) });
}

/** In which numbers the weights are, and whether these are those that were trained. */
export function weightsFact(
  { parameters, stored = [], origin }: Pick<Model, "parameters" | "stored" | "origin">,
  save: WeightsFormat,
): string {
  const types = new Set([...parameters, ...stored].map(({ name }) => typeToSave(name, { ...save, origin })));
  if (types.size === 1 && types.has("float32")) return "Weights: float32, as they were trained";
  const why = save.dtype === "as-read" ? " as the model came" : "";
  return (
    `Weights: ${[...types].sort().join(" and ")}${why}. They were trained as float32 and rounded to the nearest when they were ` +
    "saved: what the run measured before that can differ from what this folder gives, in the last digits that it shows. " +
    "`save.dtype: float32` keeps them as they were trained."
  );
}
