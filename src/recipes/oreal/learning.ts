import type { Schedule } from "../../training/schedule.ts";
import { trainingSchedule } from "../kit/training-settings.ts";
import type { OrealLearner } from "./config-schema.ts";

/** How fast a model learns, and when. */
export interface Pace {
  /** By the number of the optimizer step, from 0. */
  readonly schedule: Schedule;
  readonly clipNorm: number;
  /** Numbers of the optimizer steps in an iteration; none while the model rests, or without a batch. */
  stepsOf(iteration: number, batches: readonly unknown[]): number[];
}

/** @param turns optimizer steps in each iteration, and iterations in which the model rests at first */
export function paceOf(
  learner: OrealLearner,
  iterations: number,
  { steps, rests }: { steps: number; rests: number },
): Pace {
  return {
    clipNorm: learner.clipNorm,
    schedule: trainingSchedule(learner, (iterations - rests) * steps),
    stepsOf(iteration, batches) {
      if (iteration < rests || batches.length === 0) return [];
      return Array.from({ length: steps }, (_, s) => (iteration - rests) * steps + s);
    },
  };
}
