import { isAdapted } from "../../model/adapters/lora.ts";
import { mergeAdapter } from "../../model/adapters/merge.ts";
import { saveAdapter } from "../../model/adapters/peft.ts";
import { saveModel, type Model } from "../../model/model.ts";
import type { RunFolder } from "../../training/run-folder.ts";

/**
 * Writes the trained model to the run folder; of one with an adapter also that alone. The adapter is then merged, for
 * good: neither `model` nor another model over its trunk is to be used any more.
 */
export async function saveTrained(run: RunFolder, model: Model, card: string): Promise<void> {
  if (!isAdapted(model)) return saveModel(model, run.model, { card });
  await saveAdapter(model, run.adapter, { card, baseModel: model.source });
  await mergeAdapter(model);
  await saveModel(model.trunk as Model, run.model, { card });
}
