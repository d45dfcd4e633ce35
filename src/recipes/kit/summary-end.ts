import type { TrainingEnd } from "../../training/open-learner.ts";

/** What `summary.json` says of a training's end. */
export function summaryEnd({ steps, trainedTokens, seconds, warnings, ...end }: TrainingEnd): object {
  const { endedEarly, stoppedAt, stopped, savedStep } = end;
  return {
    ...{ steps, trainedTokens, seconds, warnings },
    ...(endedEarly && { endedEarly }),
    ...(stoppedAt !== undefined && { stoppedAt, stopped }),
    ...(savedStep !== undefined && { savedStep }),
  };
}
