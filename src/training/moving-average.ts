import * as tf from "@tensorflow/tfjs-core";
import type { SavedState, SignalSource } from "../contract/index.ts";
import { UserError } from "../errors.ts";
import { createAdapter, createDecoder, isAdapted, withAdapter, type Decoder } from "../model/index.ts";
import { scoreLosses } from "./sources.ts";

/**
 * ssToken's moving history: after every update `history = decay * history + (1 - decay) * model`, from the model as it
 * is now. Needs the memory of a second model, or of a second adapter where the model has one.
 */
export async function movingAverageSource(
  model: Decoder,
  { decay }: { decay: number },
): Promise<SignalSource<"historyNll"> & { dispose(): void }> {
  const history = await copyOf(model);
  const means = new Map(history.parameters.map(({ name, variable }) => [name, variable]));
  const moving = isAdapted(model) ? model.adapter.parameters : model.parameters;
  const pairs = moving.map(({ name, variable }) => ({ name, mean: means.get(name)!, live: variable }));
  return {
    gives: ["historyNll"],
    compute: async (batch) => ({ historyNll: await scoreLosses(history, batch) }),
    afterUpdate() {
      for (const { mean, live } of pairs)
        tf.tidy(() => mean.assign(tf.add(tf.mul(mean, decay), tf.mul(live, 1 - decay))));
    },
    async save(): Promise<SavedState> {
      const state: SavedState = {};
      for (const { name, mean } of pairs) state[name] = await mean.data<"float32">();
      return state;
    },
    restore(state) {
      for (const { name, mean } of pairs) {
        const values = state[name];
        if (!(values instanceof Float32Array) || values.length !== mean.size)
          throw new UserError(`the saved history has no usable ${name}`, { fix: "Resume from another checkpoint." });
        tf.tidy(() => mean.assign(tf.tensor(values, mean.shape)));
      }
    },
    dispose: history.dispose,
  };
}

/** A model of the same shape that can go its own way; a frozen trunk is shared. */
async function copyOf(model: Decoder): Promise<Decoder> {
  if (isAdapted(model)) {
    const copy = await createAdapter(model.trunk, model.adapter.settings);
    const live = model.adapter.parameters;
    // Multiplied, because an assigned tensor would share the numbers that the optimizer changes in place.
    copy.parameters.forEach(({ variable }, i) => tf.tidy(() => variable.assign(tf.mul(live[i]!.variable, 1))));
    return withAdapter(model.trunk, copy);
  }
  const variables = new Map(model.parameters.map(({ name, variable }) => [name, variable]));
  return createDecoder(model.config, (name) => variables.get(name)!.data<"float32">());
}
