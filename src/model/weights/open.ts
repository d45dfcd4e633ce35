import { stat } from "node:fs/promises";
import { UserError } from "../../system/errors.ts";
import { downloadHint } from "../../system/hub-id.ts";
import { openFolder } from "./folder.ts";
import { openGguf } from "./gguf-source.ts";
import type { WeightSource } from "./source.ts";

/**
 * Opens the weights of a decoder: a folder in Hugging Face layout (safetensors, sharded or not) or a `.gguf` file.
 * Close it after use.
 *
 * ```ts
 * const weights = await openWeights("models/SmolLM2-135M-Instruct");
 * const embedding = await weights.read("model.embed_tokens.weight"); // Float32Array, [vocabularySize, width]
 * await weights.close();
 * ```
 * @throws UserError if the path, the configuration or the tensors are not those of a supported model
 */
export async function openWeights(path: string): Promise<WeightSource> {
  const kind = await stat(path).catch((cause: unknown) => {
    throw new UserError("missing-model", "there is no model here", {
      where: path,
      fix:
        downloadHint(path, "model") ??
        "Name a local folder in Hugging Face layout or a .gguf file; nothing is downloaded.",
      cause,
    });
  });
  if (kind.isDirectory()) return openFolder(path);
  if (path.endsWith(".safetensors")) {
    throw new UserError("missing-model", "weights alone are not a model", {
      where: path,
      fix: "Name the folder that also has config.json.",
    });
  }
  return openGguf(path);
}
