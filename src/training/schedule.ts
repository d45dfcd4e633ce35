/** Learning rate of an optimizer step, counted from 0. */
export type Schedule = (step: number) => number;

/** Kind and extent of a learning-rate schedule; rates have the unit of the optimizer's. */
export interface ScheduleOptions {
  kind: "constant" | "linear" | "cosine";
  learningRate: number;
  /** Optimizer steps of the whole run. */
  totalSteps: number;
  /** Steps over which the rate rises from 0; default 0. */
  warmupSteps?: number;
  /** Where linear and cosine end; default 0. */
  minimumLearningRate?: number;
}

/**
 * Learning-rate schedules with linear warm-up, step for step those of transformers' `get_*_schedule_with_warmup`:
 * step `k` of `w` warm-up steps has rate `k / w`, so with warm-up the very first step has rate 0.
 *
 * @example
 * import { schedule } from "tokensift/training";
 *
 * const rate = schedule({ kind: "linear", learningRate: 1e-3, totalSteps: 100, warmupSteps: 10 });
 * [rate(0), rate(5), rate(10), rate(55)]; //=> [0, 0.0005, 0.001, 0.0005]
 */
export function schedule({
  kind,
  learningRate,
  totalSteps,
  warmupSteps = 0,
  minimumLearningRate = 0,
}: ScheduleOptions): Schedule {
  const span = Math.max(1, totalSteps - warmupSteps);
  const range = learningRate - minimumLearningRate;
  return (step) => {
    if (step < warmupSteps) return (learningRate * step) / warmupSteps;
    const progress = Math.min(1, (step - warmupSteps) / span);
    if (kind === "constant") return learningRate;
    if (kind === "linear") return minimumLearningRate + range * (1 - progress);
    return minimumLearningRate + range * 0.5 * (1 + Math.cos(Math.PI * progress));
  };
}
