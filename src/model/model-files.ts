import { loadTokenizer, tokenizerFromGguf, type Tokenizer } from "../text/index.ts";
import { readsStoredWeights, rowBytesOf } from "../tensor/stored-weight.ts";
import { createDecoder } from "./decoder.ts";
import type { LoadOptions, Model, ModelFacts } from "./model-types.ts";
import { openWeights, type WeightSource } from "./weights/index.ts";

/** A model's files, opened and parsed once, of which any number of copies may be made. */
export interface ModelFiles extends ModelFacts {
  /**
   * A copy of its own on the current engine, as `loadModel` gives it: numbers are read from the files anew, none are kept
   * here.
   * @throws UserError also where the files were written to since they were opened
   */
  load(options?: LoadOptions): Promise<Model>;
  /** To be called once. Copies whose weights stay in the files go on reading them. */
  close(): Promise<void>;
}

/** @throws UserError if the path, configuration or tokenizer are not those of a supported model */
export async function openModelFiles(path: string): Promise<ModelFiles> {
  const weights = await openWeights(path);
  let users = 1; // whoever opened them, and each copy whose weights stay in them
  const letGo = async (): Promise<void> => {
    if (--users === 0) await weights.close();
  };
  try {
    const tokenizer = tokenizerOf(path, weights);
    const { config, fingerprint } = weights;
    const load = async (options: LoadOptions = {}): Promise<Model> => {
      weights.requireUnchanged();
      const decoder = await decoderOf(weights, options);
      let inUse = decoder.stored !== undefined;
      if (inUse) users++;
      const dispose = (): void => {
        decoder.dispose();
        if (inUse) void letGo();
        inUse = false;
      };
      return { ...decoder, tokenizer, source: path, fingerprint, origin: weights.origin, dispose };
    };
    return { config, tokenizer, fingerprint, storedBytes: storedBytesOf(weights), load, close: letGo };
  } catch (error) {
    await letGo();
    throw error;
  }
}

async function decoderOf(weights: WeightSource, { weights: form = "float32", inMemory }: LoadOptions) {
  const staysInFile = form === "as-stored" && readsStoredWeights();
  const decoder = await createDecoder(weights.config, async (name) => {
    const stored = staysInFile && !inMemory?.has(name) ? weights.stored(name) : undefined;
    if (stored === undefined) return weights.read(name);
    await weights.checkStored(name);
    return stored;
  });
  if (form === "as-stored") for (const { variable } of decoder.parameters) variable.trainable = false;
  return decoder;
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
