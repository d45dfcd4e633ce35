import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { optional } from "../system/optional.ts";
import type { Tokenizer } from "../text/index.ts";
import { hasAdapter } from "./adapters/with-adapter.ts";
import type { DecoderConfig } from "./config.ts";
import { initializeModel } from "./initialize.ts";
import { openModelFiles } from "./model-files.ts";
import type { LoadOptions, Model, ModelFacts } from "./model-types.ts";
import { saveModelFiles, type WeightsFormat } from "./weights/index.ts";
import { storedTensorsOf, tensorsOf } from "./saved-values.ts";

export type { LoadOptions, Model, ModelFacts } from "./model-types.ts";

/**
 * Loads a model onto the current engine: a folder in Hugging Face layout or a `.gguf` file. Dispose of it after use.
 * @param options.weights `as-stored` keeps matrices of 16 or fewer bits in their files, frozen; see `LoadOptions`
 * @throws UserError if the path, configuration, weights or tokenizer are not those of a supported model
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const { layers, width, vocabularySize } = model.config;
 * [layers, width, vocabularySize]; //=> [4, 128, 249]
 * model.dispose();
 * releaseEngine();
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<Model> {
  const files = await openModelFiles(path);
  try {
    return await files.load(options);
  } finally {
    await files.close();
  }
}

/**
 * What is known of a model without loading its weights: configuration, tokenizer, fingerprint. No engine is needed.
 *
 * @throws UserError as `loadModel`, but for weights that cannot be read
 * @example
 * import { readModelFacts } from "tokensift/model";
 *
 * const { config, tokenizer } = await readModelFacts("models/tiny");
 * [config.layers, config.width, config.vocabularySize]; //=> [4, 128, 249]
 * tokenizer.decode([5, 6]).length > 0; //=> true
 */
export async function readModelFacts(path: string): Promise<ModelFacts> {
  const { config, tokenizer, fingerprint, storedBytes, close } = await openModelFiles(path);
  await close();
  return { config, tokenizer, fingerprint, ...optional({ storedBytes }) };
}

/**
 * A model with fresh weights, for pretraining. The same seed gives the same weights.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createModel, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const { config, tokenizer } = await loadModel("models/tiny");
 * const fresh = await createModel({ ...config, layers: 1 }, tokenizer, { seed: 42 });
 * fresh.config.layers; //=> 1
 * releaseEngine();
 */
export async function createModel(
  config: DecoderConfig,
  tokenizer: Tokenizer,
  { seed }: { seed: number },
): Promise<Model> {
  const { fingerprint } = freshModelFacts(config, tokenizer, { seed });
  return { ...(await initializeModel(config, { seed })), tokenizer, source: "fresh weights", fingerprint };
}

/** What is known of a model of `createModel` before its weights are drawn. */
export function freshModelFacts(config: DecoderConfig, tokenizer: Tokenizer, { seed }: { seed: number }): ModelFacts {
  const identity = JSON.stringify({ config, tokenizer: tokenizer.fingerprint, seed });
  return { config, tokenizer, fingerprint: createHash("sha256").update(identity).digest("hex") };
}

/** How a model is saved. */
export interface SaveOptions extends WeightsFormat {
  /** Text of its `README.md`. */
  card: string;
  /** Called before each tensor is written; may throw to end the writing, which then leaves nothing. */
  check?: () => void | Promise<void>;
  /** Told of each file of weights, by its name in the folder, how many bytes were written and their sha-256. */
  onDigest?: (file: string, digest: { readonly bytes: number; readonly sha256: string }) => void;
}

/**
 * Writes the model in Hugging Face layout; an earlier model in the folder is replaced only when the new one is
 * complete. What its author wrote is written back as it came: tokenizer files and `generation_config.json` to the byte, and
 * the keys of `config.json` that this library has no use for.
 * @param options.card text of its `README.md`: what it is, from which model and by which command it was made
 * @param options.dtype number format of the weights; default that in which each tensor came, see `SaveOptions`
 * @param options.shardSize largest file of weights, "5GB" or bytes; default "50GB"
 * @param options.check called before each tensor is written; what it throws ends the writing, which then leaves nothing
 * @throws UserError if the folder holds other files or cannot be written, if the model has an adapter, or if a number is
 * too large for float16
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { loadModel, saveModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * await saveModel(model, "saved-model", { card: "models/tiny, as it was." });
 * (await loadModel("saved-model")).fingerprint === model.fingerprint; //=> true
 *
 * await saveModel(model, "half-model", { card: "models/tiny, rounded.", dtype: "bfloat16", shardSize: "500KB" });
 * releaseEngine();
 */
export async function saveModel(model: Model, folder: string, options: SaveOptions): Promise<void> {
  if (hasAdapter(model))
    throw new UserError("adapted-model", "a model with an adapter cannot be saved in one piece", {
      where: folder,
      fix: "Save the adapter (saveAdapter), or merge it first (mergeAdapter) and save the model below it.",
    });
  const { config, origin, parameters, stored = [], tokenizer } = model;
  const tensors = [...tensorsOf(parameters), ...storedTensorsOf(stored)];
  await saveModelFiles(folder, { ...options, config, tensors, tokenizerFiles: tokenizer.files, origin });
}
