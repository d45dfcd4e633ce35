import { afterEach, expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import type { RowFacts } from "../../../src/cli/score/score-rows.ts";
import { type Answer, type Asked, type FakeServer, fakeServer, status } from "../../server/fake-server.ts";
import { referenceRows, temporaryFolder, tied, tokensift } from "../run.ts";

const folder = temporaryFolder();
const data = folder.writeRows("data.jsonl", referenceRows);
const out = folder.path("scored.jsonl");
let server: FakeServer | undefined;
afterEach(() => server?.close());

const run = (...argv: string[]) =>
  tokensift("score", "--model", tied, "--data", data, "--out", out, "--overwrite", "--engine", "cpu", ...argv);

/** A vLLM under whose model the loss of token t is its id, divided by 8. */
function vllm({ path, body }: Asked): Answer {
  if (path !== "/v1/completions") return {};
  const ids = body["prompt"] as number[];
  const logProbs = ids.map((id, t) => (t === 0 ? null : { [id]: { logprob: -id / 8, rank: 1 } }));
  return { model: body["model"], choices: [{ text: "", finish_reason: "length", prompt_logprobs: logProbs }] };
}

test("a rule takes the losses of a reference that a server has", async () => {
  server = await fakeServer(vllm);
  const flags = ["--server", server.url, "--server-model", "large", "--selector", "rho1", "--set", "ratio=0.5"];
  const { code, err } = await run(...flags);
  expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
  const rows = readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RowFacts);
  for (const { ids, referenceNll } of rows)
    expect([...referenceNll!]).toEqual(Array.from(ids, (id, t) => (t === 0 ? 0 : id / 8)));
  expect(server.asked.every(({ body }) => body["model"] === "large" && body["prompt_logprobs"] === 0)).toBe(true);
  expect(rows.flatMap(({ weights }) => [...weights]).some((weight) => weight > 0)).toBe(true);
});

test("what does not go together, and what a server does not tell, is said before anything is computed", async () => {
  for (const [flags, message] of [
    [["--server-model", "m"], "--server-model has no server"],
    [["--server", "http://127.0.0.1:1", "--reference-model", tied], "both give referenceNll"],
    [["--server", "http://127.0.0.1:1"], "--server-model is missing"],
    [["--server", "http://127.0.0.1:1", "--server-protocol", "llama-cpp"], "does not tell the losses of given tokens"],
    [["--server", "nowhere", "--server-model", "m"], "no address of a server"],
  ] as const) {
    const { code, err } = await run(...flags);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  }
  server = await fakeServer(() => status(404, '{"message": "The model `m` does not exist."}'));
  const { code, err } = await run("--server", server.url, "--server-model", "m");
  expect([code, err]).toEqual([2, expect.stringContaining("The model `m` does not exist.")]);
});
