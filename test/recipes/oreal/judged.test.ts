import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Asked, cut, type FakeServer, fakeServer } from "../../server/fake-server.ts";
import { runHere } from "../run-here.ts";
import { orealResults, writeOreal } from "./small-run.ts";

let base: string;
let server: FakeServer;
let asked: string[];
let patience: number;
beforeAll(() => void (base = mkdtempSync(join(tmpdir(), "tokensift-judged-"))));
afterAll(() => rmSync(base, { recursive: true }));
beforeEach(async () => {
  asked = [];
  patience = Infinity;
  server = await fakeServer(judged);
});
afterEach(() => server.close());

/** Grades by the length of what it is shown; after `patience` replies it is gone. */
function judged({ path, body }: Asked) {
  if (asked.length >= patience) return cut;
  if (path !== "/v1/chat/completions") return {};
  const [{ content }] = body["messages"] as [{ content: string }];
  asked.push(content);
  const grade = content.length % 11;
  return { model: "judge", choices: [{ message: { content: `Grade: ${grade}` }, finish_reason: "stop" }] };
}

const write = (name: string, judge: object = {}): string =>
  writeOreal(join(base, name), {
    data: { cache: join(base, "cache") },
    objective: { preset: "rloo", weights: { source: "none" } },
    training: { iterations: 2, policyFreeze: undefined, saveEvery: 0, evaluateEvery: undefined },
    policy: { learningRate: 1e-2, adapter: { rank: 2 } },
    top: {
      rewardModel: undefined,
      compare: [],
      rewards: [
        { method: "verifier" },
        { method: "judge", weight: 0.5, server: { url: server.url, model: "judge", retryPause: 0.001 }, ...judge },
      ],
    },
  });

describe("a run whose answers a language model judges", () => {
  test("adds its grades up, and asks nothing twice after the judge was gone", async () => {
    const whole = await runHere("oreal", write("whole"));
    expect([whole.code, whole.code === 0 ? "" : whole.stderr]).toEqual([0, ""]);
    expect(new Set(asked).size).toBe(asked.length);
    expect(server.asked[0]!.body).toMatchObject({ model: "judge", temperature: 0, max_tokens: 256 });
    const kept = readFileSync(join(base, "whole/out/judge/judge.jsonl"), "utf8").trimEnd().split("\n");
    expect(kept).toHaveLength(1 + asked.length);
    const total = asked.length;

    asked = [];
    patience = total - 3;
    const config = write("broken");
    const broken = await runHere("oreal", config);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain(`The server ${server.url}/ is gone`);
    expect(broken.stderr).toContain("Continue with --resume.");
    patience = Infinity;
    const resumed = await runHere("oreal", config, "--resume");
    expect([resumed.code, resumed.code === 0 ? "" : resumed.stderr]).toEqual([0, ""]);
    expect(asked).toHaveLength(total);
    expect(orealResults(join(base, "broken/out"))).toEqual(orealResults(join(base, "whole/out")));
  });

  test("is refused without a server, or with a key of the server that does not exist", async () => {
    const none = await runHere("oreal", write("none", { server: undefined }));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("the judge has no server")]);
    const misspelt = await runHere("oreal", write("misspelt", { server: { url: server.url, modle: "judge" } }));
    expect([misspelt.code, misspelt.stderr]).toEqual([2, expect.stringMatching(/rewards\[1\].*modle/s)]);
    expect(asked).toEqual([]);
  });
});
