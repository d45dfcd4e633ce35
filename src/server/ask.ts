import { type IncomingMessage, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { parseBoundedJson } from "../system/bounded-json.ts";
import { UserError } from "../system/errors.ts";
import type { ServerAddress } from "./address.ts";
import { RequestFailure } from "./failure.ts";

/** One request. */
export interface Question {
  readonly path: string;
  /** Sent as JSON by POST; without it the request is a GET. */
  readonly body?: object;
  /** Milliseconds that all of it may take. */
  readonly timeout: number;
  /** Bytes of the longest answer that is read. */
  readonly mostBytes: number;
  /** Ends the request at once; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a server once. By `node:http`, which follows no redirect.
 * @returns the text of its answer
 * @throws RequestFailure for what may go better another time, UserError for what the server refuses
 */
export async function ask(address: ServerAddress, question: Question): Promise<string> {
  const { status, text, headers } = await exchange(address, question);
  if (status >= 200 && status < 300) return text;
  const said = saidIn(text);
  if (status === 408 || status === 429 || status >= 500)
    throw new RequestFailure(`it answers ${status}${said}`, { retryAfter: secondsIn(headers["retry-after"]) });
  const where = new URL(question.path, address.base).href;
  if (status >= 300 && status < 400)
    throw new UserError(
      "server-refused",
      `the server redirects to ${String(headers.location)}, where nothing is sent`,
      {
        where,
        fix: "Give the address that the server itself has.",
      },
    );
  throw new UserError("server-refused", `the server answers ${status}${said}`, {
    where,
    fix: fixes[status] ?? refused,
  });
}

/** Parses an answer within bounds. @throws RequestFailure for what is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return parseBoundedJson(text, { deepest: 64, mostParts: 1_000_000 });
  } catch (cause) {
    throw new RequestFailure(`its answer cannot be read (${(cause as Error).message.slice(0, 100)})`, { cause });
  }
}

const keyFix = "Name the environment variable that holds the server's key (keyVariable).";
const fixes: Readonly<Record<number, string>> = {
  401: keyFix,
  403: keyFix,
  404: "Does the server speak the configured protocol, and does it have a model of that name?",
};
const refused = "Mend what the server complains of.";

interface Exchanged {
  status: number;
  text: string;
  headers: IncomingMessage["headers"];
}

function exchange({ base, key }: ServerAddress, question: Question): Promise<Exchanged> {
  const { path, body, timeout, mostBytes, signal } = question;
  const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const request = base.startsWith("https:") ? overHttps : overHttp;
  const options = {
    method: sent === undefined ? "GET" : "POST",
    agent: false, // one connection each: none that a restarted server has closed
    headers: {
      accept: "application/json",
      ...(sent && { "content-type": "application/json", "content-length": sent.length }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
  } as const;
  return new Promise((settle, fail) => {
    signal?.throwIfAborted();
    const asked = request(new URL(path, base), options);
    const end = (error: unknown): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      asked.destroy();
      fail(error as Error);
    };
    const abort = (): void => end(signal!.reason);
    const timer = setTimeout(() => end(new RequestFailure(`no answer in ${timeout / 1000} seconds`)), timeout);
    signal?.addEventListener("abort", abort);
    asked.on("error", (cause) => end(new RequestFailure(cause.message, { cause })));
    asked.on("response", (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > mostBytes) end(new RequestFailure(`its answer is longer than ${mostBytes} bytes`));
        else parts.push(part);
      });
      response.on("error", (cause) => end(new RequestFailure(`its answer is cut off (${cause.message})`, { cause })));
      response.on("end", () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        const { statusCode = 0, headers } = response;
        settle({ status: statusCode, text: Buffer.concat(parts).toString("utf8"), headers });
      });
    });
    asked.end(sent);
  });
}

/** What a server says of an error, shortened. */
function saidIn(text: string): string {
  const said =
    /"(?:message|detail)"\s*:\s*"((?:[^"\\]|\\.){1,300})/.exec(text.slice(0, 4000))?.[1] ?? text.slice(0, 200);
  return said.trim() === "" ? "" : `: ${said.trim()}`;
}

function secondsIn(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && seconds >= 0 && seconds <= 60 ? seconds * 1000 : undefined;
}
