import * as tf from "@tensorflow/tfjs-core";
import { isStored, type Weight, widened, widenedValues } from "../../tensor/stored-weight.ts";
import type { Model, SaveOptions } from "../model.ts";
import { saveModelFiles } from "../weights/save.ts";
import type { TensorToSave } from "../weights/safetensors-write.ts";
import { changed, withTypeOfHead } from "./merge.ts";
import { embeddingModule, headModule } from "./modules.ts";
import type { Adapted } from "./with-adapter.ts";

/**
 * Writes the model with its adapter in its weights, in Hugging Face layout. Nothing is changed in memory, where one
 * weight at a time is widened and merged: for models whose weights stay in their files. What is written is what
 * `mergeAdapter` and `saveModel` write of the same model with weights in memory.
 * @throws UserError if the folder holds other files or cannot be written, or a number is too large for float16
 */
export async function saveMerged(model: Model & Adapted<Model>, folder: string, options: SaveOptions): Promise<void> {
  const { config, origin, parameters, stored = [], tokenizer } = model.trunk;
  const changes = new Map(model.adapter.changes.map((change) => [`${change.module}.weight`, change]));
  const copies = new Map<string, tf.Tensor>(model.adapter.copies.map(({ name, variable }) => [name, variable]));
  const weights = new Map<string, Weight | tf.Tensor>([
    ...parameters.map(({ name, variable }) => [name, variable] as const),
    ...stored.map(({ name, weight }) => [name, weight] as const),
  ]);
  const [embedding, head] = [`${embeddingModule(config)}.weight`, `${headModule(config)}.weight`];
  const parts = config.tiedOutput && [embedding, head].some((name) => changes.has(name) || copies.has(name));
  if (parts) weights.set(head, weights.get(embedding)!);
  const tensors = [...weights].map(([name, own]): TensorToSave => {
    const weight = copies.get(name) ?? own;
    const change = changes.get(name);
    const values = async (): Promise<Float32Array> => {
      if (change !== undefined) return valuesOf(() => changed(inMemory(weight as Weight), change));
      return "encoding" in weight ? widenedValues(weight) : weight.data<"float32">();
    };
    return { name, shape: weight.shape, values };
  });
  await saveModelFiles(folder, {
    ...{ ...options, tensors, tokenizerFiles: tokenizer.files },
    ...(parts
      ? { config: { ...config, tiedOutput: false }, origin: withTypeOfHead(origin, config) }
      : { config, origin }),
  });
}

const inMemory = (weight: Weight): tf.Tensor2D => (isStored(weight) ? widened(weight) : weight);

async function valuesOf(compute: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(compute);
  try {
    return await tensor.data<"float32">();
  } finally {
    tensor.dispose();
  }
}
