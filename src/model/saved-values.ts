import * as tf from "@tensorflow/tfjs-core";
import type { SavedState, Stateful } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { widenedValues } from "../tensor/stored-weight.ts";
import type { Parameter, StoredParameter } from "./decoder.ts";
import type { TensorToSave } from "./weights/safetensors-write.ts";

type Named = Pick<Parameter, "name" | "variable">;

/** Parameters as tensors of a file. */
export function tensorsOf(parameters: readonly Named[]): TensorToSave[] {
  return parameters.map(({ name, variable }) => ({
    name,
    shape: variable.shape,
    values: () => variable.data<"float32">(),
  }));
}

/** Weights that stay in their files as tensors of another file. */
export function storedTensorsOf(stored: readonly StoredParameter[]): TensorToSave[] {
  return stored.map(({ name, weight }) => ({ name, shape: weight.shape, values: () => widenedValues(weight) }));
}

/**
 * Puts saved values into a variable.
 * @param owner what has none that could be used, for the message
 */
export function assignSaved(variable: tf.Variable, values: unknown, name: string, owner = "it"): void {
  if (!(values instanceof Float32Array) || values.length !== variable.size)
    throw new UserError("damaged-checkpoint", `${owner} has no usable ${name}`);
  tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
}

/** The parameters' values as a part of a checkpoint. */
export function savedParameters(parameters: readonly Named[], owner?: string): Stateful {
  return {
    async save() {
      const state: SavedState = {};
      for (const { name, variable } of parameters) state[name] = await variable.data<"float32">();
      return state;
    },
    restore(state) {
      for (const { name, variable } of parameters) assignSaved(variable, state[name], name, owner);
    },
  };
}
