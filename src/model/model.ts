import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { loadTokenizer, tokenizerFromGguf, type Tokenizer } from "../text/index.ts";
import { hasAdapter } from "./adapters/with-adapter.ts";
import type { DecoderConfig } from "./config.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import { initializeModel } from "./initialize.ts";
import { openWeights, saveModelFiles, type Origin, type WeightSource, type WeightsFormat } from "./weights/index.ts";
import { readsStoredWeights, rowBytesOf } from "../tensor/stored-weight.ts";
import { storedTensorsOf, tensorsOf } from "./saved-values.ts";

/** A decoder with its tokenizer. */
export interface Model extends Decoder {
  readonly tokenizer: Tokenizer;
  /** Where it was loaded from. */
  readonly source: string;
  /** Names the weights and configuration as they were when loaded (training does not change it). */
  readonly fingerprint: string;
  /** How its files came, which are written back so; a model with fresh weights has none. */
  readonly origin?: Origin;
}

/** Where a model's matrices are kept. */
export interface LoadOptions {
  /**
   * `float32` (default): in the engine's memory, to be trained. `as-stored`: those of 16 or fewer bits stay in their
   * files, which the cpu engine reads and widens while it computes. The model is then frozen; an adapter over it can be
   * trained. Its numbers and gradients are the same, its memory is that of the files' pages. Nothing may write to the
   * files meanwhile. Other engines keep `float32` in any case.
   */
  weights?: "float32" | "as-stored";
  /** Names of weights that come into memory in any case. Default: none. */
  inMemory?: ReadonlySet<string>;
}

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
  const { weights: form = "float32", inMemory } = options;
  const weights = await openWeights(path);
  let inUse = false;
  try {
    const tokenizer = tokenizerOf(path, weights);
    const staysInFile = form === "as-stored" && readsStoredWeights();
    const decoder = await createDecoder(weights.config, async (name) => {
      const stored = staysInFile && !inMemory?.has(name) ? weights.stored(name) : undefined;
      if (stored === undefined) return weights.read(name);
      await weights.checkStored(name);
      return stored;
    });
    if (form === "as-stored") for (const { variable } of decoder.parameters) variable.trainable = false;
    inUse = decoder.stored !== undefined;
    const dispose = (): void => {
      decoder.dispose();
      if (inUse) void weights.close();
      inUse = false;
    };
    const { fingerprint, origin } = weights;
    return { ...decoder, tokenizer, source: path, fingerprint, origin, dispose };
  } finally {
    if (!inUse) await weights.close();
  }
}

/** What is known of a model without reading its weights. */
export interface ModelFacts extends Pick<Model, "config" | "tokenizer" | "fingerprint"> {
  /** Bytes of each weight that can stay in its file, by its name; see `LoadOptions`. */
  readonly storedBytes?: ReadonlyMap<string, number>;
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
  const weights = await openWeights(path);
  try {
    const { config, fingerprint } = weights;
    return { config, tokenizer: tokenizerOf(path, weights), fingerprint, storedBytes: storedBytesOf(weights) };
  } finally {
    await weights.close();
  }
}

/** Bytes of each weight that can stay in its file, by its name. */
export function storedBytesOf(weights: WeightSource): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of weights.names()) {
    const weight = weights.stored(name);
    if (weight !== undefined) found.set(name, weight.shape[0] * rowBytesOf(weight));
  }
  return found;
}

/** The tokenizer of opened weights. */
export function tokenizerOf(path: string, { metadata }: WeightSource): Tokenizer {
  return metadata === undefined ? loadTokenizer(path) : tokenizerFromGguf(metadata);
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
