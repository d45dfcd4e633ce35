import type { Model } from "../../model/model.ts";

/** The starting model of a run, opened when it is first asked for. One copy is held at a time. */
export interface Trunk {
  /** To be left as it is: adapters are put on it and taken off. It stays open for the stages that follow. */
  model(): Promise<Model>;
  /**
   * A copy of one's own, to change and to dispose of: the one that is open, or a new one. The next stage that asks for
   * `model` opens it anew.
   */
  take(): Promise<Model>;
  /** Frees the one that is open; before another model is opened in its place, and at the end. */
  release(): void;
}

/** @param open gives the starting model anew each time */
export function holdTrunk(open: () => Promise<Model>): Trunk {
  let held: Model | undefined;
  return {
    model: async () => (held ??= await open()),
    async take() {
      const model = held ?? (await open());
      held = undefined;
      return model;
    },
    release() {
      held?.dispose();
      held = undefined;
    },
  };
}
