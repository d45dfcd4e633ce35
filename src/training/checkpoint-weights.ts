import { join } from "node:path";
import { isAdapted } from "../model/adapters/with-adapter.ts";
import { openWeights } from "../model/weights/open.ts";
import { restoreAdapter, saveAdapter } from "../model/adapters/peft.ts";
import { saveModel } from "../model/model.ts";
import type { FileDigest } from "../system/file-digest.ts";
import type { TrainingState } from "./state.ts";
import { assignSaved } from "../model/saved-values.ts";

/**
 * Writes what is trained, unrounded: the model to `model/`, or the adapter over a frozen one to `adapter/`.
 * @returns what was written to the files of weights, by their names below the folder
 */
export async function saveWeights(folder: string, { model, step }: TrainingState): Promise<Record<string, FileDigest>> {
  const card = `# Checkpoint after ${step} optimizer steps\n\nTrained from ${model.source} with tokensift.\n`;
  const digests: Record<string, FileDigest> = {};
  const noteIn = (inner: string) => (file: string, digest: FileDigest) => void (digests[`${inner}/${file}`] = digest);
  if (isAdapted(model)) await saveAdapter(model, join(folder, "adapter"), { card, onDigest: noteIn("adapter") });
  else await saveModel(model, join(folder, "model"), { card, dtype: "float32", onDigest: noteIn("model") });
  return digests;
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
