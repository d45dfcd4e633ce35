import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { serverAddress } from "../../src/server/address.ts";
import { type ClientOptions, serverClient } from "../../src/server/client.ts";
import { RequestFailure } from "../../src/server/failure.ts";
import { protocols } from "../../src/server/protocols/index.ts";
import { Interrupted } from "../../src/system/interrupted.ts";
import { Outage } from "../../src/system/outage.ts";
import { userError } from "../user-error.ts";
import { type Answer, cut, type FakeServer, fakeServer, hang, status } from "./fake-server.ts";

const right = { model: "m", choices: [{ text: "7", finish_reason: "stop", token_ids: [7] }] };
const request = {
  ...{ model: "m", prompt: [1], promptText: () => "", maxNewTokens: 8, temperature: 1, topP: 1, seed: 1, stop: [2] },
};

let server: FakeServer;
let next: Answer[] = [];
beforeEach(async () => {
  server = await fakeServer(({ path }) => (path === "/health" ? {} : (next.shift() ?? right)));
});
afterEach(() => server.close());

const clientOf = (options: Partial<ClientOptions> = {}) =>
  serverClient(serverAddress(server.url, "test"), protocols.vllm, {
    ...{ timeout: 2000, patience: { tries: 6, pause: 1 } },
    ...options,
  });

const long = JSON.stringify({ text: "x".repeat(1_100_000) });

test.each([
  ["429", status(429, "busy")],
  ["500", status(500)],
  ["503", status(503, "loading")],
  ["a cut connection", cut],
  ["what is no JSON", "<html>an error of a proxy</html>"],
  ["JSON of a bomb's form", "[".repeat(100_000)],
  ["an answer without its fields", {}],
  ["ids that are none", { choices: [{ text: "", finish_reason: "stop", token_ids: [-1, 2.5] }] }],
  ["an answer without end", long],
])("asks again after %s", async (_, fault) => {
  next = [fault, fault];
  expect(await clientOf().complete(request)).toMatchObject({ ids: [7], finished: true });
  expect(server.asked).toHaveLength(3);
});

test("asks six times, then says what went wrong", async () => {
  next = Array.from({ length: 9 }, () => status(429, '{"error": {"message": "too many requests"}}'));
  await expect(clientOf().complete(request)).rejects.toThrow("it answers 429: too many requests");
  expect(server.asked).toHaveLength(6);
});

test("does not wait longer than the time limit", async () => {
  next = [hang];
  await expect(clientOf({ timeout: 60, patience: { tries: 1, pause: 1 } }).complete(request)).rejects.toThrow(
    "no answer in 0.06 seconds",
  );
});

test("waits as long as the server asks for", async () => {
  next = [status(429, "", { "retry-after": "0.1" })];
  const start = performance.now();
  await clientOf().complete(request);
  expect(performance.now() - start).toBeGreaterThan(95);
});

test("does not repeat what the server refuses, and quotes it", async () => {
  next = [status(400, '{"error": {"message": "the prompt is too long"}}')];
  await expect(clientOf().complete(request)).rejects.toThrow(userError("server-refused", "the prompt is too long"));
  next = [status(302, "", { location: "http://elsewhere.example/" })];
  await expect(clientOf().complete(request)).rejects.toThrow(userError("server-refused", "elsewhere.example"));
  expect(server.asked).toHaveLength(2);
});

test("ends a request at once where it is told to", async () => {
  next = [hang];
  const abort = new AbortController();
  const asked = clientOf({ signal: abort.signal }).complete(request);
  setTimeout(() => abort.abort(new Interrupted("Stopped.")), 30);
  const start = performance.now();
  await expect(asked).rejects.toThrow(Interrupted);
  expect(performance.now() - start).toBeLessThan(1000);
});

test("tells a server that is gone from one that fails", async () => {
  const client = clientOf();
  const failure = new RequestFailure("no answer");
  await client.requireUp(failure);
  await server.close();
  await expect(client.requireUp(failure)).rejects.toThrow(Outage);
  await expect(client.complete(request)).rejects.toThrow(RequestFailure);
});

test("sends the key of the environment variable, and none without", async () => {
  process.env["TEST_SERVER_KEY"] = "secret";
  try {
    await serverClient(serverAddress(server.url, "test", "TEST_SERVER_KEY"), protocols.vllm, { timeout: 2000 }).isUp();
    await clientOf().isUp();
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual(["Bearer secret", undefined]);
  } finally {
    delete process.env["TEST_SERVER_KEY"];
  }
  expect(() => serverAddress(server.url, "test", "TEST_SERVER_KEY")).toThrow(
    userError("missing-option", "TEST_SERVER_KEY"),
  );
});

test.each(["localhost:8000", "file:///etc/passwd", "http://me:secret@host", "http://host/?key=1", "http://"])(
  "takes no server at %s",
  (url) => {
    expect(() => serverAddress(url, "sampling.server.url")).toThrow(userError("invalid-option", "sampling.server.url"));
  },
);
