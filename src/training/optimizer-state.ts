import type { SavedState, Stateful } from "../contract/index.ts";
import { assignSaved } from "../model/saved-values.ts";
import type { Optimizer } from "./optimizer.ts";

/** A further optimizer as a companion of the checkpoint: its moments and its counts of updates. */
export function optimizerCompanion(optimizer: Optimizer): Stateful {
  return {
    async save() {
      const { updates, skipped = 0, learningRateScale = 1 } = optimizer;
      const state: SavedState = { updates, skipped, learningRateScale };
      if (optimizer.updates === 0) return state;
      for (const [name, { m, v }] of optimizer.moments()) {
        state[`m.${name}`] = await m.data<"float32">();
        state[`v.${name}`] = await v.data<"float32">();
      }
      return state;
    },
    restore(state) {
      optimizer.updates = Number(state["updates"]);
      optimizer.skipped = Number(state["skipped"] ?? 0);
      optimizer.learningRateScale = Number(state["learningRateScale"] ?? 1);
      if (optimizer.updates === 0) return;
      for (const [name, moments] of optimizer.moments())
        for (const which of ["m", "v"] as const)
          assignSaved(moments[which], state[`${which}.${name}`], `${which}.${name}`);
    },
  };
}
