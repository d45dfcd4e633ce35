import type { TokenBatch } from "../contract/index.ts";
import type { PreferenceBatch, PreferenceObjective } from "../preference/index.ts";
import type { ObjectiveInput } from "./objective-loop.ts";

/** Rows of pairs with what their objective reads besides the passes' signals. */
export interface PairBatch extends TokenBatch, PreferenceBatch {}

/** A batch of pairs under a preference objective, for `trainObjective`. */
export function preferenceInput(objective: PreferenceObjective, batch: PairBatch): ObjectiveInput {
  const tokens = { ...batch, signals: {} };
  return {
    batch,
    masses: objective.masses(tokens, batch),
    judge: (signals) => objective.evaluate(signals, tokens, batch),
  };
}
