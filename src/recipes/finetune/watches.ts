import type { StepRecord } from "../../training/index.ts";
import { partingWatch } from "./parting.ts";

/** Looks at every step and says something once, when it is worth a warning. */
export type Watch = (step: StepRecord) => string | undefined;

/** All that is watched for in a run. */
export function everyWatch(vocabularySize: number): (step: StepRecord) => string[] {
  const watches = [partingWatch(), divergenceWatch(vocabularySize), idleWatch()];
  return (step) => watches.flatMap((watch) => watch(step) ?? []);
}

/** Warns when the loss over all response tokens is worse than that of taking every token for equally likely. */
export function divergenceWatch(vocabularySize: number): Watch {
  const uniform = Math.log(vocabularySize);
  return once(({ step, lossAllTokens }) =>
    step > 1 && lossAllTokens > 1.5 * uniform
      ? `At step ${step} the loss is ${lossAllTokens.toPrecision(3)}, worse than guessing among all ` +
        `${vocabularySize} tokens (${uniform.toPrecision(3)}): the training diverges. Lower training.learningRate.`
      : undefined,
  );
}

/** Warns of a step that trained nothing. */
export function idleWatch(): Watch {
  return once(({ step, keptTokens }) =>
    keptTokens === 0
      ? `At step ${step} the rule gave no token a weight: the model was left as it was, as in every such step.`
      : undefined,
  );
}

function once(watch: Watch): Watch {
  let warned = false;
  return (step) => {
    if (warned) return undefined;
    const warning = watch(step);
    warned = warning !== undefined;
    return warning;
  };
}
