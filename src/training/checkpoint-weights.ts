import { join } from "node:path";
import { isAdapted } from "../model/adapters/with-adapter.ts";
import { openWeights } from "../model/weights/open.ts";
import { restoreAdapter, saveAdapter } from "../model/adapters/peft.ts";
import { saveModel } from "../model/model.ts";
import type { TrainingState } from "./state.ts";
import { assignSaved } from "../model/saved-values.ts";

/** Writes what is trained, unrounded: the model to `model/`, or the adapter over a frozen one to `adapter/`. */
export async function saveWeights(folder: string, { model, step }: TrainingState): Promise<void> {
  const card = `# Checkpoint after ${step} optimizer steps\n\nTrained from ${model.source} with tokensift.\n`;
  if (isAdapted(model)) await saveAdapter(model, join(folder, "adapter"), { card });
  else await saveModel(model, join(folder, "model"), { card, dtype: "float32" });
}

/** @throws UserError for a tensor that is missing or of another size */
export async function restoreWeights(folder: string, { model }: TrainingState): Promise<void> {
  if (isAdapted(model)) return restoreAdapter(join(folder, "adapter"), model);
  const saved = await openWeights(join(folder, "model"));
  try {
    for (const { name, variable } of model.parameters) assignSaved(variable, await saved.read(name), name);
  } finally {
    await saved.close();
  }
}
