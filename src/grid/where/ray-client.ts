import { request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { UserError } from "../../system/errors.ts";

/** What a job on a Ray cluster is. */
export interface RayJob {
  readonly status: "PENDING" | "RUNNING" | "STOPPED" | "SUCCEEDED" | "FAILED";
  readonly message?: string | null;
  readonly driver_exit_code?: number | null;
}

/** The part of Ray's job interface that a grid uses. */
export interface RayClient {
  submit(job: {
    entrypoint: string;
    id: string;
    cpus: number;
    metadata: Readonly<Record<string, string>>;
  }): Promise<void>;
  job(id: string): Promise<RayJob>;
  logs(id: string): Promise<string>;
  stop(id: string): Promise<void>;
}

const patience = 30_000;

/**
 * Speaks to the dashboard of a Ray cluster. By `node:http`: requests of Node's `fetch` have headers of a browser, which
 * the dashboard refuses (405).
 *
 * @param address `http://head:8265`, as in RAY_ADDRESS
 * @see https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html
 */
export function rayClient(address: string): RayClient {
  const base = baseOf(address);
  const ask = (method: string, path: string, body?: object) => send(new URL(path, base), method, body);
  return {
    async submit({ entrypoint, id, cpus, metadata }) {
      await ask("POST", "api/jobs/", { entrypoint, submission_id: id, entrypoint_num_cpus: cpus, metadata });
    },
    job: async (id) => (await ask("GET", `api/jobs/${encodeURIComponent(id)}`)) as RayJob,
    async logs(id) {
      const { logs } = (await ask("GET", `api/jobs/${encodeURIComponent(id)}/logs`)) as { logs?: unknown };
      return typeof logs === "string" ? logs : "";
    },
    async stop(id) {
      await ask("POST", `api/jobs/${encodeURIComponent(id)}/stop`);
    },
  };
}

function baseOf(address: string): URL {
  try {
    const url = new URL(address.endsWith("/") ? address : `${address}/`);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
  } catch {
    // said below
  }
  throw new UserError("invalid-option", `${JSON.stringify(address)} is no address of a Ray dashboard`, {
    where: "RAY_ADDRESS",
    fix: "Give the one that `ray start --head` prints, as in RAY_ADDRESS=http://head:8265",
  });
}

function send(url: URL, method: string, body?: object): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((settle, fail) => {
    const request = url.protocol === "https:" ? overHttps : overHttp;
    const asked = request(url, { method, headers, timeout: patience }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", fail);
      response.on("end", () => {
        const answer = Buffer.concat(parts).toString("utf8");
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) settle(parsed(answer));
        else
          fail(new RayRefusal(`${method} ${url.pathname}: ${statusCode} ${answer.slice(0, 300).trim()}`, statusCode));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer in 30 seconds")));
    asked.on("error", (cause) =>
      fail(cause instanceof RayRefusal ? cause : new RayRefusal(`${method} ${url.href}: ${cause.message}`)),
    );
    asked.end(text);
  });
}

/** The cluster cannot be reached, or answers with an error. */
export class RayRefusal extends Error {
  override readonly name = "RayRefusal";
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}
