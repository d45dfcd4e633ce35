import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a server is asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
}

/** What it answers: an object or a text, or something else done to the response. */
export type Answer = object | string | ((response: ServerResponse) => void);

/** A server in this process that answers as it is told, and keeps what it was asked. */
export interface FakeServer {
  readonly url: string;
  readonly asked: Asked[];
  close(): Promise<void>;
}

/** @param port a free one unless given */
export async function fakeServer(answer: (asked: Asked) => Answer | Promise<Answer>, port = 0): Promise<FakeServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const text = Buffer.concat(parts).toString("utf8");
      const { method = "", url: path = "", headers } = request;
      const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
      asked.push({ method, path, headers, body });
      void Promise.resolve(answer(asked.at(-1)!)).then((given) => {
        if (typeof given === "function") given(response);
        else response.end(typeof given === "string" ? given : JSON.stringify(given));
      });
    });
  });
  await new Promise<void>((settle) => server.listen(port, "127.0.0.1", settle));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((settle) => {
        server.close(() => settle());
        server.closeAllConnections();
      }),
  };
}

/** Answers with a status. */
export function status(code: number, text = "", headers: Record<string, string> = {}): Answer {
  return (response) => void response.writeHead(code, headers).end(text);
}

/** Ends the connection in the middle of an answer. */
export const cut: Answer = (response) => {
  response.writeHead(200, { "content-length": "1000" });
  response.write("{", () => response.destroy());
};

/** Never ends its answer. */
export const hang: Answer = (response) => void response.write(" ");
