import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../system/errors.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { watchInterruption } from "../../system/interruption.ts";
import type { Cell } from "../cells.ts";
import { type Ended, logOf } from "../run-local.ts";
import { writeFile } from "../write-file.ts";
import { shellLine } from "./indices.ts";
import type { Submission } from "./place.ts";
import { type RayClient, type RayJob, RayRefusal } from "./ray-client.ts";

/** How often the cluster is asked, in milliseconds; and how often in a row it may fail to answer. */
export interface RayPace {
  readonly interval: number;
  readonly failures: number;
}

const usualPace: RayPace = { interval: 2000, failures: 15 };

/**
 * Runs every cell as a job of a Ray cluster, and waits: jobs queue there for their cores. Ray runs a job once, so one that
 * failed is submitted again up to `retries` times; but one that ended with 2, which is the person's to mend, stops the
 * grid. A request to stop stops the jobs, which save as far as the few seconds that Ray gives them allow.
 *
 * @returns how each cell ended
 * @throws UserError where the cluster cannot be reached; Interrupted after a request to stop
 */
export async function runOnRay(submission: Submission, client: RayClient, pace = usualPace): Promise<Ended[]> {
  const { cells, jobs = cells.length, say } = submission;
  using interruption = watchInterruption(() => say("Stopping the jobs; once more leaves them running."));
  const waiting = [...cells];
  const ended: Ended[] = [];
  let hopeless = false;
  const work = async (): Promise<void> => {
    for (;;) {
      const cell = hopeless || interruption.asked() ? undefined : waiting.shift();
      if (cell === undefined) return;
      const code = await runJob(cell, submission, client, { pace, asked: interruption.asked });
      if (code === undefined) return;
      ended.push({ cell, code, log: logOf(cell) });
      hopeless ||= code === 2;
      say(
        `${ended.length} of ${cells.length}: ${cell.name} ${code === 0 ? "done" : `ended with ${code}; see ${logOf(cell)}`}`,
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(jobs, cells.length) }, work));
  } catch (error) {
    if (!(error instanceof RayRefusal)) throw error;
    throw new UserError("command-failed", error.message, {
      where: "the Ray cluster",
      fix: "Look whether RAY_ADDRESS is its dashboard. The same command goes on from here.",
      cause: error,
    });
  }
  if (interruption.asked()) interruption.rethrow(new Interrupted("Stopped; the same command goes on from here."));
  return ended;
}

interface Watch {
  readonly pace: RayPace;
  asked(): boolean;
}

/** The exit code of a cell's last job; undefined where it was stopped on request. */
async function runJob(
  cell: Cell,
  submission: Submission,
  client: RayClient,
  watch: Watch,
): Promise<number | undefined> {
  const { command, folder, cpus, retries } = submission;
  const entrypoint = `cd ${shellLine([folder])} && exec ${shellLine(command(cell.index))}`;
  for (let attempt = 0; ; attempt++) {
    const id = `tokensift-${cell.name}-${randomUUID().slice(0, 8)}`.replaceAll(/[^\w-]/g, "-");
    await client.submit({ entrypoint, id, cpus, metadata: { cell: cell.name } });
    const job = await whenOver(id, client, watch);
    await keepLog(cell, id, client);
    if (watch.asked()) return undefined;
    if (job.status === "SUCCEEDED") return 0;
    const code = job.driver_exit_code ?? 1;
    if (code === 2 || attempt >= retries) return code === 0 ? 1 : code;
  }
}

async function whenOver(id: string, client: RayClient, { pace, asked }: Watch): Promise<RayJob> {
  let stopped = false;
  let failures = 0;
  for (;;) {
    if (asked() && !stopped) {
      stopped = true;
      await client.stop(id);
    }
    try {
      const job = await client.job(id);
      failures = 0;
      if (job.status === "SUCCEEDED" || job.status === "FAILED" || job.status === "STOPPED") return job;
    } catch (error) {
      if (!(error instanceof RayRefusal) || ++failures >= pace.failures) throw error;
    }
    await sleep(pace.interval);
  }
}

async function keepLog(cell: Cell, id: string, client: RayClient): Promise<void> {
  const text = await client.logs(id).catch(() => "the cluster did not give the job's log\n");
  writeFile(logOf(cell), text);
}
