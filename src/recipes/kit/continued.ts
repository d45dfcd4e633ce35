import { checkpointPath, checkpointSteps, restoreCheckpoint, type TrainingState } from "../../training/index.ts";
import type { ArmOpening } from "./arms.ts";

/** Restores an arm's newest checkpoint, if it is to be continued and has one; else readies its logs for a start. */
export async function continued(
  { resume, run, state, materials, allowChanges, talk }: ArmOpening<unknown> & { state: TrainingState },
  unit: "step" | "iteration",
): Promise<boolean> {
  const step = resume ? checkpointSteps(run.checkpoints).at(-1) : undefined;
  if (step === undefined) {
    if (resume) talk.note(`There is no checkpoint yet: starting from ${unit} 1.`);
    run.continueFrom(-1);
    return false;
  }
  const path = checkpointPath(run.checkpoints, step);
  const differences = await restoreCheckpoint(path, state, { identity: materials.identity, allowChanges });
  for (const difference of differences) talk.note(`Continued although ${difference}.`);
  run.continueFrom(step);
  talk.note(`Continuing after ${unit} ${step}.`);
  return true;
}
