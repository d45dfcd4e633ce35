import { Interrupted } from "../../system/interrupted.ts";
import type { StepRecord } from "../../training/train.ts";

/** Told to the person at the keyboard. */
export interface Reporter {
  /** A sentence worth keeping. */
  note(sentence: string): void;
  /** Something under way. */
  working(what: string, done: number, total: number): void;
}

/** Also shows how far an arm is. */
export interface ArmReporter extends Reporter {
  step(record: Pick<StepRecord, "step" | "loss" | "keptShare">, total: number, tokensPerSecond: number): void;
  /** One more evaluation, or the result of a stage, stands in the run folder. */
  evaluated?(): Promise<void>;
}

/** A reporter that ends the work under way when the person asks to stop; for work that can simply be done again. */
export function stoppable<T extends Reporter>(reporter: T, interrupted: () => boolean): T {
  return {
    ...reporter,
    working(what: string, done: number, total: number) {
      reporter.working(what, done, total);
      if (interrupted()) throw new Interrupted(`Stopped at ${what}.`);
    },
  };
}
