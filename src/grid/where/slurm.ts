import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { makeFolder } from "../../system/make-folder.ts";
import { UserError } from "../../system/errors.ts";
import { writeFile, writingInGrid } from "../write-file.ts";
import { rangesText, shellLine } from "./indices.ts";
import type { Submission } from "./place.ts";

/** Seconds before its time is up in which a cell saves. */
const notice = 120;

/**
 * The batch script of an array job: one task for each cell. A cell is asked to save shortly before its time is up
 * (SIGUSR1), and starts again after its node failed.
 * @param flags more of sbatch, which win over the script's
 */
export function slurmScript({ output, cells, command, folder, cpus, jobs }: Submission): string {
  const array = rangesText(cells.map(({ index }) => index)) + (jobs === undefined ? "" : `%${jobs}`);
  return [
    "#!/bin/bash",
    "#SBATCH --job-name=tokensift",
    `#SBATCH --array=${array}`,
    `#SBATCH --cpus-per-task=${cpus}`,
    "#SBATCH --requeue",
    "#SBATCH --open-mode=append",
    `#SBATCH --signal=B:USR1@${notice}`,
    `#SBATCH --chdir=${quoted(folder)}`,
    `#SBATCH --output=${quoted(join(output, "cells", "%a.log"))}`,
    "",
    "# the cell is SLURM_ARRAY_TASK_ID; `exec` so that the signal reaches it",
    `exec ${shellLine(command())}`,
    "",
  ].join("\n");
}

/** A path as a line of `#SBATCH` takes it. */
const quoted = (path: string): string => (/[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path);

/**
 * Writes the script into the grid's output and submits it.
 * @returns the job's number; with `--wait` among the flags also the highest exit code of its cells, else 0
 * @throws UserError where there is no sbatch, or it refuses
 */
export function submitToSlurm(submission: Submission, flags: readonly string[]): { job: string; code: number } {
  const folder = join(submission.output, "cells");
  writingInGrid(folder, () => makeFolder(folder)); // which Slurm would not make for its logs
  const path = join(submission.output, "cells.sbatch");
  writeFile(path, slurmScript(submission));
  const { status, stdout, stderr, error } = spawnSync("sbatch", ["--parsable", ...flags, path], { encoding: "utf8" });
  const where = `sbatch ${path}`;
  if (error !== undefined)
    throw new UserError("missing-file", "there is no program sbatch here", {
      ...{ where, cause: error },
      fix: `Submit the script on a machine of the cluster: sbatch ${path}`,
    });
  const [job] = stdout.trim().split(";");
  if (job === undefined || job === "")
    throw new UserError("command-failed", stderr.trim() || `it ended with ${status}`, { where });
  return { job, code: status ?? 1 };
}
