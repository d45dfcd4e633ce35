import * as tf from "@tensorflow/tfjs-core";
import type { SavedState, SignalSource } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { createAdapter } from "../model/adapters/lora.ts";
import { isAdapted, withAdapter } from "../model/adapters/with-adapter.ts";
import { createDecoder, type Decoder } from "../model/decoder.ts";
import { scoreLosses } from "./sources.ts";

/** A signal source with a model of its own. */
export type OwningSource<S extends "historyNll" | "referenceNll"> = SignalSource<S> & { dispose(): void };

/**
 * ssToken's moving history: after every update `history = decay * history + (1 - decay) * model`, from the model as it
 * is now. Needs the memory of a second model, or of a second adapter where the model has one.
 *
 * @see https://arxiv.org/abs/2510.18250
 */
export function movingAverageSource(model: Decoder, { decay }: { decay: number }): Promise<OwningSource<"historyNll">> {
  return earlierState("historyNll", model, (mean, live) => tf.add(tf.mul(mean, decay), tf.mul(live, 1 - decay)));
}

/**
 * The reference of self-evolving Token Cleaning (https://arxiv.org/abs/2502.01968): the model as it was after the last
 * whole part of the run, a part being `every` optimizer steps; before the end of the first one, as it is now. Needs the
 * memory of a second model, or of a second adapter where the model has one.
 */
export function snapshotSource(model: Decoder, { every }: { every: number }): Promise<OwningSource<"referenceNll">> {
  // Multiplied, because an assigned tensor would share the numbers that the optimizer changes in place.
  return earlierState("referenceNll", model, (_, live) => tf.mul(live, 1), every);
}

async function earlierState<S extends "historyNll" | "referenceNll">(
  signal: S,
  model: Decoder,
  next: (kept: tf.Tensor, live: tf.Tensor) => tf.Tensor,
  every = 1,
): Promise<OwningSource<S>> {
  const earlier = await copyOf(model);
  const copies = new Map(earlier.parameters.map(({ name, variable }) => [name, variable]));
  const moving = isAdapted(model) ? model.adapter.parameters : model.parameters;
  const pairs = moving.map(({ name, variable }) => ({ name, kept: copies.get(name)!, live: variable }));
  return {
    gives: [signal],
    compute: async (batch) => ({ [signal]: await scoreLosses(earlier, batch) }) as { [K in S]: Float32Array },
    afterUpdate(step) {
      if (step % every !== 0) return;
      for (const { kept, live } of pairs) tf.tidy(() => kept.assign(next(kept, live)));
    },
    async save(): Promise<SavedState> {
      const state: SavedState = {};
      for (const { name, kept } of pairs) state[name] = await kept.data<"float32">();
      return state;
    },
    restore(state) {
      for (const { name, kept } of pairs) {
        const values = state[name];
        if (!(values instanceof Float32Array) || values.length !== kept.size)
          throw new UserError("damaged-checkpoint", `the saved earlier model has no usable ${name}`, {
            fix: "Resume from another checkpoint.",
          });
        tf.tidy(() => kept.assign(tf.tensor(values, kept.shape)));
      }
    },
    dispose: earlier.dispose,
  };
}

/** A model of the same shape that can go its own way; a frozen trunk is shared. */
async function copyOf(model: Decoder): Promise<Decoder> {
  if (isAdapted(model)) {
    const copy = await createAdapter(model.trunk, model.adapter.settings);
    const live = model.adapter.parameters;
    copy.parameters.forEach(({ variable }, i) => tf.tidy(() => variable.assign(tf.mul(live[i]!.variable, 1))));
    return withAdapter(model.trunk, copy);
  }
  const variables = new Map(model.parameters.map(({ name, variable }) => [name, variable]));
  const stored = new Map(model.stored?.map(({ name, weight }) => [name, weight]));
  return createDecoder(model.config, (name) => stored.get(name) ?? variables.get(name)!.data<"float32">());
}
