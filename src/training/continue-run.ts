import { UserError } from "../system/errors.ts";
import { newestSound, removeAside, setAside, type DamagedCheckpoint } from "./checkpoint-files.ts";
import { restoreChecked } from "./checkpoint.ts";
import { forgetDivergences } from "./divergence.ts";
import type { RunLearnerOptions } from "./run-learner-options.ts";

/**
 * Puts the newest sound checkpoint into the state, where the run is to be continued and has one; the logs are cut to it.
 * @returns whether there was one
 * @throws UserError where none is sound, or the run's logs are not those of the checkpoint
 */
export async function continueRun(options: RunLearnerOptions): Promise<boolean> {
  const { state, run, identity, resume, allowChanges, reporter, unit = "step" } = options;
  const prefix = options.name === undefined ? "" : `${options.name}: `;
  const note = (sentence: string): void =>
    reporter.note(`${prefix}${prefix === "" ? sentence : sentence[0]!.toLowerCase() + sentence.slice(1)}`);
  const found = resume ? await newestSound(run.checkpoints) : undefined;
  if (found === undefined) {
    if (resume && prefix === "") note(`There is no checkpoint yet: starting from ${unit} 1.`);
    run.continueFrom(-1);
    run.records.continueFrom(undefined);
    forgetDivergences(run, { step: -1, rolledBack: false });
    return false;
  }
  const { step, manifest, damaged } = found;
  const { missing, changed } = await run.records.check(step, manifest?.records);
  const other = [...missing, ...changed];
  if (other.length > 0 && !allowChanges) throw notItsLogs(run.path, other, step);
  const differences = await restoreChecked(found, state, { identity, allowChanges });
  removeAside(run.checkpoints, step);
  if (damaged.length > 0) {
    setAside(run.checkpoints, damaged);
    for (const sentence of damageNotes(damaged, step, unit)) reporter.note(sentence);
  }
  if (manifest === undefined)
    note(
      `The checkpoint of ${unit} ${step} is of an earlier version, without a manifest: its files could not be checked.`,
    );
  for (const difference of [...differences, ...other]) reporter.note(`Continued although ${difference}.`);
  run.continueFrom(step);
  run.records.continueFrom(manifest?.records);
  forgetDivergences(run, { step, rolledBack: (state.optimizer.learningRateScale ?? 1) < 1 });
  note(`Continuing after ${unit} ${step}.`);
  return true;
}

function damageNotes(damaged: readonly DamagedCheckpoint[], sound: number, unit: string): string[] {
  return [
    ...damaged.map(({ error }) => error.message.split("\n")[0]!),
    `The one of ${unit} ${sound} is sound and is taken in place of ${damaged.length > 1 ? "them" : "it"}; what is damaged is ` +
      `now checkpoints/damaged-step-${damaged.map(({ step }) => step).join(", damaged-step-")}.`,
  ];
}

function notItsLogs(path: string, problems: readonly string[], step: number): UserError {
  return new UserError(
    "damaged-log",
    `the records of the run are not those of its checkpoint:\n  ${problems.join("\n  ")}`,
    {
      where: path,
      fix:
        `Put them back from a copy; delete checkpoints/step-${step} to go on from the one before it, if the records are those of ` +
        "that one; or go on as they are with --allow-changes.",
    },
  );
}
