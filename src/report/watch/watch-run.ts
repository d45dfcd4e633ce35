import { randomBytes } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { UserError } from "../../system/errors.ts";
import { isRunFolder } from "../../training/run-folder.ts";
import { labelOf } from "../run-files.ts";
import { progressOf } from "./progress-of.ts";
import { shellPage } from "./shell.ts";

export interface WatchOptions {
  /** Default one that is free. */
  port?: number;
  /** Milliseconds between two looks at the run's folder. Default 500. */
  every?: number;
}

/** A server of a run's page. */
export interface Watching {
  readonly url: string;
  close(): Promise<void>;
}

const mostReaders = 64;
const mostUnread = 1 << 18; // bytes that a reader may leave lying before it is let go

/**
 * Serves a run's page on this machine alone, and tells readers when it or the logs have changed. Nothing is written, and
 * nothing of the folder is served but the page.
 * @throws UserError if the folder holds no run, or the port is taken
 */
export async function watchRun(folder: string, { port = 0, every = 500 }: WatchOptions = {}): Promise<Watching> {
  const path = resolve(folder);
  if (!isRunFolder(path))
    throw new UserError("no-run", "there is no run here", {
      where: folder,
      fix: "Name the folder that a training run writes (its configuration's `output`).",
    });
  const readers = new Set<ServerResponse>();
  let state = stateOf(path);
  const tell = (reader: ServerResponse): void => {
    if (reader.writableLength > mostUnread) reader.destroy();
    else reader.write(`data: ${state}\n\n`);
  };
  const look = setInterval(() => {
    const now = stateOf(path, state);
    if (now === state) return;
    state = now;
    for (const reader of readers) tell(reader);
  }, every);
  const server = createServer((request, response) => {
    const refused = refusal(request, (server.address() as AddressInfo).port);
    if (refused !== undefined) return answer(response, refused, "text/plain", `${refused}\n`);
    if (request.url === "/") return sendShell(path, response);
    if (request.url === "/report.html") return sendPage(path, response);
    if (request.url !== "/events") return answer(response, 404, "text/plain", "404\n");
    if (readers.size >= mostReaders) return answer(response, 503, "text/plain", "503\n");
    response.writeHead(200, { ...headers, "content-type": "text/event-stream" });
    readers.add(response);
    response.on("close", () => readers.delete(response));
    return tell(response);
  });
  const close = async (): Promise<void> => {
    clearInterval(look);
    const closed = new Promise<void>((done) => server.close(() => done()));
    server.closeAllConnections();
    await closed;
  };
  try {
    await new Promise<void>((listening, failed) => {
      server.once("error", failed);
      server.listen(port, "127.0.0.1", listening);
    });
  } catch (cause) {
    clearInterval(look);
    throw new UserError("invalid-option", `port ${port} cannot be used (${(cause as Error).message})`, {
      fix: "Leave out --port to have a free one.",
      cause,
    });
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

/** What readers are told, as text that changes where it does; the last one where the folder cannot be read now. */
function stateOf(path: string, last = JSON.stringify({ page: null, arms: [] })): string {
  try {
    return JSON.stringify(progressOf(path));
  } catch {
    return last;
  }
}

/** The status of a request that is refused: another method, or a page elsewhere that asks under another name. */
function refusal({ method, headers: { host } }: IncomingMessage, port: number): number | undefined {
  if (method !== "GET") return 405;
  return host === `127.0.0.1:${port}` || host === `localhost:${port}` ? undefined : 403;
}

const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

function answer(response: ServerResponse, status: number, type: string, body: string, policy = "default-src 'none'") {
  response.writeHead(status, {
    ...headers,
    "content-type": `${type}; charset=utf-8`,
    "content-security-policy": policy,
  });
  response.end(body);
}

function sendShell(path: string, response: ServerResponse): void {
  const nonce = randomBytes(16).toString("base64");
  const policy =
    `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; ` +
    "frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  answer(response, 200, "text/html", shellPage(labelOf(path, 200)!, nonce), policy);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false; // not there, or in a folder that cannot be read now
  }
}

/** The page as it is; it says itself what it may do. */
function sendPage(path: string, response: ServerResponse): void {
  const file = join(path, "report.html");
  if (!isFile(file)) return answer(response, 404, "text/plain", "There is no page yet.\n");
  const stream = createReadStream(file);
  stream.on("error", () => response.destroy());
  response.on("close", () => stream.destroy());
  const policy = "frame-ancestors 'self'; base-uri 'none'; form-action 'none'";
  response.writeHead(200, {
    ...headers,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy,
  });
  stream.pipe(response);
}
