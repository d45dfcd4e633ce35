import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { ServedWeights } from "../../../config/server-group.ts";
import { openAtomicFile, writeFully } from "../../../data/atomic.ts";
import { portableBase, saveAdapter } from "../../../model/adapters/peft.ts";
import { saveMerged } from "../../../model/adapters/save-merged.ts";
import { openStoredAdapter } from "../../../model/adapters/stored-adapter.ts";
import { type Adapted, isAdapted } from "../../../model/adapters/with-adapter.ts";
import { ggufOfAdapter } from "../../../model/gguf-adapter.ts";
import { type Model, saveModel } from "../../../model/model.ts";
import { writeGguf } from "../../../model/weights/gguf-write.ts";
import { openWeights } from "../../../model/weights/index.ts";
import { remove } from "../../../system/files-in-use.ts";
import { makeFolder } from "../../../system/make-folder.ts";

/** A policy as a server can load it. */
export interface SavedPolicy {
  /** Names its weights: the same weights have the same digest. */
  readonly digest: string;
  /** What the server loads. */
  readonly path: string;
}

const card = "A policy in training, as it answers in one iteration.";

/**
 * Writes a policy for a server, in place of the one before: its adapter as a PEFT folder (`lora`), of llama.cpp also as a
 * GGUF file (`restart`), or the whole model (`disk`).
 * @param start path of the model below an adapter
 */
export async function savePolicy(
  model: Model,
  { folder, name, weights, start }: { folder: string; name: string; weights: ServedWeights; start: string },
): Promise<SavedPolicy> {
  makeFolder(folder);
  for (const other of readdirSync(folder)) if (!other.startsWith(name)) remove(join(folder, other));
  const path = join(folder, name);
  const digests: string[] = [];
  const onDigest = (file: string, { sha256 }: { sha256: string }): void => void digests.push(`${file} ${sha256}`);
  if (weights === "disk") {
    const options = { card, onDigest };
    if (isAdapted(model)) await saveMerged(model as Model & Adapted<Model>, path, options);
    else await saveModel(model, path, options);
    return { digest: digests.sort().join(", "), path };
  }
  const adapted = model as Model & Adapted<Model>;
  await saveAdapter(adapted, path, { card, baseModel: portableBase(adapted.adapter) ?? start, onDigest });
  const digest = digests.join(", ");
  return weights === "restart" ? { digest, path: await adapterFile(path, start) } : { digest, path };
}

/** The adapter of a PEFT folder as a GGUF file beside it. */
async function adapterFile(folder: string, start: string): Promise<string> {
  const source = await openWeights(start);
  try {
    const adapter = await openStoredAdapter(folder, source);
    const path = `${folder}.gguf`;
    const file = openAtomicFile(path);
    try {
      const contents = ggufOfAdapter(adapter, source.config, { type: "f32", name: "policy" });
      await writeGguf(contents, (part) => writeFully(file.fd, part));
      file.commit();
    } finally {
      file.abandon();
      await adapter.close();
    }
    return path;
  } finally {
    await source.close();
  }
}
