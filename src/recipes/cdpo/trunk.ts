import type { Model } from "../../model/model.ts";

/** The model of a run that adapters lie over, opened when it is first asked for. One copy is held at a time. */
export interface Trunk {
  /** To be left as it is: adapters are put on it and taken off. It stays open for the stages that follow. */
  model(): Promise<Model>;
  /**
   * The starting model, to be left as it is: the trunk, or the trunk with the saved adapter that the alignment starts
   * from. It stays open, too.
   */
  start(): Promise<Model>;
  /**
   * A copy of one's own, to change and to dispose of: the one that is open, or a new one. The next stage that asks for
   * `model` opens it anew.
   */
  take(): Promise<Model>;
  /** Frees the one that is open; before another model is opened in its place, and at the end. */
  release(): void;
}

/** A starting model over a trunk; `release` leaves the trunk. */
type Started = { model: Model; release: () => void };

/**
 * @param open gives the trunk anew each time
 * @param startOver gives the starting model over it
 */
export function holdTrunk(open: () => Promise<Model>, startOver: (trunk: Model) => Promise<Started>): Trunk {
  let held: Model | undefined;
  let started: Started | undefined;
  const model = async (): Promise<Model> => (held ??= await open());
  const forgetStart = (): void => {
    started?.release();
    started = undefined;
  };
  return {
    model,
    start: async () => (started ??= await startOver(await model())).model,
    async take() {
      forgetStart();
      const model = held ?? (await open());
      held = undefined;
      return model;
    },
    release() {
      forgetStart();
      held?.dispose();
      held = undefined;
    },
  };
}
