import { Interrupted } from "../../system/interrupted.ts";
import type { StepRecord } from "../../training/index.ts";

export { Interrupted };

/** Told to the person at the keyboard. */
export interface Talk {
  /** A sentence worth keeping. */
  note(sentence: string): void;
  /** Something under way. */
  working(what: string, done: number, total: number): void;
}

/** Shows how far an arm is. */
export interface ArmTalk extends Talk {
  step(record: Pick<StepRecord, "step" | "loss" | "keptShare">, total: number, tokensPerSecond: number): void;
}

/** A talk whose work ends when the person asks to stop; for work that can simply be done again. */
export function stoppable<T extends Talk>(talk: T, interrupted: () => boolean): T {
  return {
    ...talk,
    working(what: string, done: number, total: number) {
      talk.working(what, done, total);
      if (interrupted()) throw new Interrupted(`Stopped at ${what}.`);
    },
  };
}
