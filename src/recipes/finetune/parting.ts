import type { StepRecord } from "../../training/train.ts";
import { once, type Watch } from "../kit/watches.ts";

const window = 25;
const margin = 0.05;

/**
 * Watches for a rule that feeds on itself: the loss it optimises falls while the loss over all response tokens rises.
 * Compares the means of the last 25 steps with those of the 25 before, by 5 % each.
 * @returns a function to call with every step, which gives a warning once
 */
export function partingWatch(): Watch {
  const steps: StepRecord[] = [];
  return once((record) => {
    const step = record as StepRecord;
    steps.push(step);
    if (steps.length > 2 * window) steps.shift();
    if (steps.length < 2 * window) return undefined;
    const change = (key: "loss" | "lossAllTokens"): number =>
      mean(steps.slice(window), key) / mean(steps.slice(0, window), key);
    if (!(change("loss") < 1 - margin && change("lossAllTokens") > 1 + margin)) return undefined;
    return (
      `At step ${step.step} the loss of the kept tokens falls while the loss over all tokens rises: ` +
      "the rule may be feeding on itself. Smaller steps, a larger ratio or a warm-up soften it."
    );
  });
}

function mean(steps: readonly StepRecord[], key: "loss" | "lossAllTokens"): number {
  return steps.reduce((sum, step) => sum + step[key], 0) / steps.length;
}
