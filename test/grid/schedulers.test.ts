import { afterAll, beforeEach, describe, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parse } from "yaml";
import type { Cell } from "../../src/grid/cells.ts";
import { logOf } from "../../src/grid/run-local.ts";
import { rangesText, shellLine } from "../../src/grid/where/indices.ts";
import { kubernetesManifest } from "../../src/grid/where/kubernetes.ts";
import type { Submission } from "../../src/grid/where/place.ts";
import { runOnRay } from "../../src/grid/where/ray.ts";
import { rayClient } from "../../src/grid/where/ray-client.ts";
import { slurmScript } from "../../src/grid/where/slurm.ts";
import { temporaryFolder } from "../data/folder.ts";
import { userError } from "../user-error.ts";

const folder = temporaryFolder();

const cellsOf = (...indices: number[]): Cell[] =>
  indices.map((index) => ({
    ...{ index, name: `gamma-${index}`, seed: 1, folder: folder.path(`cells/${index}`) },
    arm: { axis: "gamma", name: String(index), settings: {}, control: false },
  }));

const submission = (more: Partial<Submission> = {}): Submission => ({
  output: "/runs/my grid",
  cells: cellsOf(0, 1, 2, 5),
  command: (index) => ["node", "reproduce.js", "g.yaml", ...(index === undefined ? [] : [`--cell=${index}`])],
  folder: "/home/me",
  ...{ cpus: 2, jobs: undefined, retries: 2, say: () => undefined },
  ...more,
});

test("numbers become ranges, and words a shell's line", () => {
  expect(rangesText([0, 1, 2, 5, 7, 8])).toBe("0-2,5,7-8");
  expect(shellLine(["a", "b c", "it's"])).toBe("a 'b c' 'it'\\''s'");
});

test("a script for Slurm is an array of the missing cells, which are told before their time is up", () => {
  expect(slurmScript(submission({ jobs: 8 }))).toBe(`#!/bin/bash
#SBATCH --job-name=tokensift
#SBATCH --array=0-2,5%8
#SBATCH --cpus-per-task=2
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
#SBATCH --chdir=/home/me
#SBATCH --output="/runs/my grid/cells/%a.log"

# the cell is SLURM_ARRAY_TASK_ID; \`exec\` so that the signal reaches it
exec node reproduce.js g.yaml
`);
});

describe("a manifest for Kubernetes", () => {
  const cluster = { image: "me/tokensift:1", claim: "work" };

  test("is an indexed job that does not try again what the person must mend", () => {
    const job = parse(kubernetesManifest(submission({ jobs: 3 }), cluster)) as { spec: Record<string, unknown> };
    expect(job).toMatchObject({ apiVersion: "batch/v1", kind: "Job", metadata: { generateName: "tokensift-" } });
    expect(job.spec).toMatchObject({
      ...{ completionMode: "Indexed", completions: 4, parallelism: 3, backoffLimitPerIndex: 2 },
      podFailurePolicy: {
        rules: [
          { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          { action: "FailIndex", onExitCodes: { containerName: "cell", operator: "In", values: [2] } },
        ],
      },
      template: {
        spec: {
          restartPolicy: "Never", // which a failure policy needs
          terminationGracePeriodSeconds: 120,
          containers: [
            {
              ...{ name: "cell", image: "me/tokensift:1", workingDir: "/home/me" },
              command: ["node", "reproduce.js", "g.yaml", "--cells", "0,1,2,5"],
              resources: { requests: { cpu: "2" } },
              volumeMounts: [{ name: "work", mountPath: "/home/me" }],
            },
          ],
          volumes: [{ name: "work", persistentVolumeClaim: { claimName: "work" } }],
        },
      },
    });
  });

  test.each([
    [{ image: undefined, claim: "work" }, "--image"],
    [{ image: "me/tokensift:1", claim: undefined }, "--claim"],
  ])("needs %j", (options, flag) => {
    expect(() => kubernetesManifest(submission(), options)).toThrow(userError("missing-option", flag));
  });
});

/**
 * The documented part of Ray's dashboard: `POST /api/jobs/`, `GET /api/jobs/ID`, its `/logs` and `/stop`, and the refusal of
 * browsers. A job is pending when it is first looked at, and then ends as its entry of `endings` says.
 */
const jobs = new Map<string, { entrypoint: string; looks: number; ending: number; stopped: boolean }>();
const submitted: Record<string, unknown>[] = [];
let endings: number[] = [];
let broken = 0;
const server = createServer((request, response) => void answer(request, response));
const listening = new Promise<string>((settle) =>
  server.listen(0, "127.0.0.1", () => settle(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
);
afterAll(() => void server.close());

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
  if (Object.keys(request.headers).some((header) => /^(sec-fetch-|origin$|referer$)/.test(header)))
    return reply(405, "Method Not Allowed for browser traffic.");
  const [, id, action] = /^\/api\/jobs\/([^/]*)\/?(.*)$/.exec(request.url!) ?? [];
  if (id === undefined) return reply(404, "no such path");
  if (request.method === "POST" && id === "") {
    let text = "";
    for await (const part of request) text += String(part);
    const job = JSON.parse(text) as { entrypoint: string; submission_id: string };
    submitted.push(job as unknown as Record<string, unknown>);
    jobs.set(job.submission_id, { ...job, looks: 0, ending: endings.shift() ?? 0, stopped: false });
    return reply(200, { job_id: job.submission_id, submission_id: job.submission_id });
  }
  const job = jobs.get(id);
  if (job === undefined) return reply(404, `Job ${id} does not exist`);
  if (action === "logs") return reply(200, { logs: `ran ${job.entrypoint}\n` });
  if (action === "stop") {
    job.stopped = true;
    return reply(200, { stopped: true });
  }
  if (broken > 0) {
    broken--;
    return reply(500, "the head is busy");
  }
  if (job.stopped) return reply(200, { status: "STOPPED", message: "stopped", driver_exit_code: null });
  if (job.looks++ === 0) return reply(200, { status: "PENDING" });
  const ended = { status: job.ending === 0 ? "SUCCEEDED" : "FAILED", driver_exit_code: job.ending };
  return reply(200, job.ending < 0 ? { status: "RUNNING" } : ended);
}

describe("a Ray cluster", () => {
  const quickly = { interval: 5, failures: 3 };
  beforeEach(() => {
    jobs.clear();
    submitted.length = 0;
    broken = 0;
  });

  test("is given every cell as a job, and its log is kept", async () => {
    endings = [0, 0];
    const cells = cellsOf(0, 5);
    const ended = await runOnRay(submission({ cells }), rayClient(await listening), quickly);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    expect(submitted[1]).toEqual({
      entrypoint: "cd /home/me && exec node reproduce.js g.yaml --cell=5",
      submission_id: expect.stringMatching(/^tokensift-gamma-5-[0-9a-f]{8}$/),
      entrypoint_num_cpus: 2,
      metadata: { cell: "gamma-5" },
    });
    expect(readFileSync(logOf(cells[1]!), "utf8")).toBe("ran cd /home/me && exec node reproduce.js g.yaml --cell=5\n");
  });

  test("is given a failed cell again, so many times", async () => {
    endings = [1, 137, 0];
    expect(await runOnRay(submission({ cells: cellsOf(0) }), rayClient(await listening), quickly)).toMatchObject([
      { code: 0 },
    ]);
    endings = [1, 1, 1, 0];
    expect(await runOnRay(submission({ cells: cellsOf(0) }), rayClient(await listening), quickly)).toMatchObject([
      { code: 1 },
    ]);
    expect(submitted).toHaveLength(6);
  });

  test("is given nothing more once a cell has ended with what the person must mend", async () => {
    endings = [2];
    const one = submission({ cells: cellsOf(0, 1, 2), jobs: 1 });
    expect(await runOnRay(one, rayClient(await listening), quickly)).toMatchObject([{ code: 2 }]);
    expect(submitted).toHaveLength(1);
  });

  test("may fail to answer a few times in a row, but not longer", async () => {
    endings = [0, 0];
    broken = 2;
    const one = submission({ cells: cellsOf(0) });
    expect(await runOnRay(one, rayClient(await listening), quickly)).toMatchObject([{ code: 0 }]);
    broken = 100;
    await expect(runOnRay(one, rayClient(await listening), quickly)).rejects.toThrow(
      userError("command-failed", "500 the head is busy"),
    );
  });

  test("has its jobs stopped when the person asks to stop", async () => {
    endings = [-1]; // runs until it is stopped
    const work = runOnRay(submission({ cells: cellsOf(0) }), rayClient(await listening), quickly);
    const stopped = expect(work).rejects.toMatchObject({ exitCode: 143 });
    while (submitted.length === 0) await new Promise((settle) => setTimeout(settle, 5));
    process.emit("SIGTERM", "SIGTERM");
    await stopped;
    expect([...jobs.values()].map((job) => job.stopped)).toEqual([true]);
  });

  test("that is not there, or has no such address, is named", async () => {
    const gone = rayClient("http://127.0.0.1:9");
    await expect(runOnRay(submission(), gone, quickly)).rejects.toThrow(userError("command-failed", "127.0.0.1:9"));
    expect(() => rayClient("head:8265")).toThrow(userError("invalid-option", "head:8265"));
  });
});
