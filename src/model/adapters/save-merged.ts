import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { isStored, widened } from "../../tensor/stored-weight.ts";
import type { Model, SaveOptions } from "../model.ts";
import { storedTensorsOf, tensorsOf } from "../saved-values.ts";
import { saveModelFiles } from "../weights/save.ts";
import type { TensorToSave } from "../weights/safetensors-write.ts";
import { changed } from "./merge.ts";
import type { Adapted } from "./with-adapter.ts";

/**
 * Writes the model with its adapter in its weights, in Hugging Face layout. Nothing is changed in memory, where one
 * weight at a time is widened and merged: for models whose weights stay in their files. What is written is what
 * `mergeAdapter` and `saveModel` write of the same model with weights in memory.
 * @throws UserError if the folder holds other files or cannot be written, a number is too large for float16, or the
 * adapter changes an embedding
 */
export async function saveMerged(model: Model & Adapted<Model>, folder: string, options: SaveOptions): Promise<void> {
  const { config, origin, parameters, stored = [], tokenizer, layers } = model.trunk;
  const merged = new Map(
    model.adapter.changes.map((change): [string, TensorToSave] => {
      const { module, place } = change;
      if (place.kind !== "projection")
        throw new UserError(
          "adapted-model",
          "the adapter changes an embedding, which takes the whole model in memory",
          {
            where: module,
            fix: "Load the model with its weights as float32, merge into it (mergeAdapter), and save that.",
          },
        );
      const name = `${module}.weight`;
      const { weight } = layers[place.layer]!.projections[place.projection]!;
      const values = (): Promise<Float32Array> =>
        valuesOf(() => changed(isStored(weight) ? widened(weight) : weight, change));
      return [name, { name, shape: weight.shape, values }];
    }),
  );
  const tensors = [...tensorsOf(parameters), ...storedTensorsOf(stored)].map((own) => merged.get(own.name) ?? own);
  await saveModelFiles(folder, { ...options, config, tensors, tokenizerFiles: tokenizer.files, origin });
}

async function valuesOf(compute: () => tf.Tensor): Promise<Float32Array> {
  const tensor = tf.tidy(compute);
  try {
    return await tensor.data<"float32">();
  } finally {
    tensor.dispose();
  }
}
